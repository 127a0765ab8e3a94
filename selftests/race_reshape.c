// SPDX-License-Identifier: GPL-2.0-only
/*
 * One client makes and frees the extents of a few pages, over and over. Others
 * pin them meanwhile by handles old and new, in a system call and without one,
 * and one purges. Whoever has a pin finds the bytes of the generation that he
 * was told; a handle from before is stale; and nobody is refused but because of
 * a pin.
 *
 * Each backend takes 10 s, times $PASHM_TEST_SCALE.
 */
#include "race_reshape.h"
#include "torture.h"

#define SECONDS		10
/* Seconds more for what has not happened yet */
#define PATIENCE	60

struct tally {
	uint64_t intact, lost, stale, overtaken;
};

/**
 * struct shape - what the processes share
 * @busy: changes that were refused because of a pin
 */
struct shape {
	struct torture torture;
	struct pashm_region *region;
	struct place places[EXTENTS];
	struct tally tallies[PINNERS];
	uint64_t made, discarded, freed, busy, busy_frees, purges;
};

/* What the shaper knows of an extent */
struct mould {
	uint32_t last;		/* generation after his last change */
	uint32_t filled;	/* contents if it was not purged since; 0: zeros */
	bool made;
};

FIXTURE(race_reshape)
{
	struct pashm_region *region;
	struct shape *shape;
	struct torture_crew crew;
};

FIXTURE_VARIANT(race_reshape)
{
	uint32_t backend;
};

FIXTURE_VARIANT_ADD(race_reshape, module) { .backend = PASHM_BACKEND_MODULE };
FIXTURE_VARIANT_ADD(race_reshape, memfd) { .backend = PASHM_BACKEND_MEMFD };

FIXTURE_SETUP(race_reshape)
{
	SKIP_WITHOUT_BACKEND(variant->backend);
	ASSERT_EQ(0, backend_region(variant->backend, PAGES, 0, &self->region));
	ASSERT_EQ(0, pashm_region_map(self->region, TORTURE_RW, NULL));
	self->shape = torture_share(sizeof(*self->shape));
	ASSERT_NE(NULL, self->shape);
	self->shape->region = self->region;
	self->crew.torture = &self->shape->torture;
}

FIXTURE_TEARDOWN(race_reshape)
{
	torture_end(&self->crew);
	pashm_region_close(self->region);
}

static struct pashm_region *become_client(struct shape *shape)
{
	struct pashm_region *own;

	if (!TORTURE_CHECK(&shape->torture,
			   !pashm_region_import(pashm_region_fd(shape->region),
						&own)) ||
	    !TORTURE_CHECK(&shape->torture,
			   !pashm_region_map(own, TORTURE_RW, NULL)))
		_exit(1);
	return own;
}

/* The module's RESHAPE can discard what was there; the library's call does not */
static int make(struct pashm_region *own, unsigned int extent, bool discard,
		uint32_t *generation)
{
	struct pashm_reshape args = {
		.size = sizeof(args), .offset = extent * LENGTH * PAGE,
		.length = LENGTH * PAGE, .priority = PASHM_PRIORITY_DEFAULT,
		.flags = discard ? PASHM_RESHAPE_DISCARD : 0,
	};
	struct pashm_handle handle = { .page = 0 };
	int ret;

	if (pashm_region_backend(own) == PASHM_BACKEND_MODULE) {
		ret = command(pashm_region_fd(own), PASHM_IOC_RESHAPE, &args);
		*generation = args.generation;
	} else {
		ret = pashm_extent_create(own, extent * LENGTH, LENGTH,
					  PASHM_PRIORITY_DEFAULT, &handle);
		*generation = handle.generation;
	}
	return ret;
}

/* Refused: that is in order if there was a pin */
static bool refused(struct shape *shape, struct place *place,
		    const struct change *change, int ret, uint64_t *counter)
{
	change_end(place, place->oldest);
	torture_count(counter, 1);
	return TORTURE_CHECK(&shape->torture, ret == -EBUSY) &&
	       TORTURE_CHECK(&shape->torture, change_was_met(place, change));
}

/* Made: pinned, with what was there, all of it or nothing if it was purged */
static bool check_made(struct shape *shape, struct pashm_region *own,
		       unsigned int i, const struct mould *mould, bool discard,
		       uint32_t generation)
{
	struct torture *t = &shape->torture;
	uint32_t purges = generation - mould->last - 1;

	if (discard)
		return TORTURE_CHECK(t, holds(own, i, 0, false));
	if (!purges)
		return TORTURE_CHECK(t, holds(own, i, mould->filled, false));
	return TORTURE_CHECK(t, mould->made) &&
	       TORTURE_CHECK(t, holds(own, i, 0, false) ||
				holds(own, i, generation - 1, false));
}

static bool shape_make(struct shape *shape, struct pashm_region *own,
		       unsigned int i, struct mould *mould, bool discard)
{
	struct place *place = &shape->places[i];
	struct change change;
	uint32_t generation;
	int ret;

	discard &= pashm_region_backend(own) == PASHM_BACKEND_MODULE;
	change_begin(place, &change);
	ret = make(own, i, discard, &generation);
	if (ret)
		return refused(shape, place, &change, ret, &shape->busy);
	change_end(place, generation);
	if (!check_made(shape, own, i, mould, discard, generation))
		return false;
	fill(own, i, generation);
	*mould = (struct mould) {
		.last = generation, .filled = generation, .made = true,
	};
	__atomic_store_n(&place->handle, generation, __ATOMIC_SEQ_CST);
	torture_count(&shape->made, 1);
	torture_count(&shape->discarded, discard);
	return TORTURE_CHECK(&shape->torture, holds(own, i, generation, false));
}

/* Free what we have just made. If others have it, let it be */
static bool shape_free(struct shape *shape, struct pashm_region *own,
		       unsigned int i, struct mould *mould, bool discard)
{
	struct torture *t = &shape->torture;
	struct place *place = &shape->places[i];
	struct change change;
	int ret;

	change_begin(place, &change);
	ret = pashm_extent_destroy(own, i * LENGTH,
				   discard ? PASHM_EXTENT_DISCARD : 0);
	if (ret)
		return refused(shape, place, &change, ret,
			       &shape->busy_frees) &&
		       TORTURE_CHECK(t, holds(own, i, mould->filled, false)) &&
		       TORTURE_CHECK(t, !pashm_unpin(own, i * LENGTH));
	mould->last++;
	mould->made = false;
	change_end(place, mould->last);
	if (discard)
		mould->filled = 0;
	torture_count(&shape->freed, 1);
	torture_count(&shape->discarded, discard);
	return TORTURE_CHECK(t, pashm_generation(own, i * LENGTH) ==
				mould->last) &&
	       TORTURE_CHECK(t, holds(own, i, mould->filled, false));
}

static void be_shaper(void *arg, unsigned int number, uint64_t seed)
{
	struct shape *shape = arg;
	struct pashm_region *own = become_client(shape);
	struct mould moulds[EXTENTS] = {};
	bool sound = true;

	(void)number;
	while (sound && !torture_stopped(&shape->torture)) {
		uint64_t choice = random_next(&seed);
		unsigned int i = choice % EXTENTS;
		uint64_t before = shape->made;

		sound = shape_make(shape, own, i, &moulds[i], choice >> 8 & 1);
		if (!sound || shape->made == before)
			continue;
		if (choice >> 9 & 1)
			usleep(choice >> 10 & 1023);
		if (choice >> 32 & 1)
			sound = shape_free(shape, own, i, &moulds[i],
					   choice >> 33 & 1);
		else
			sound = TORTURE_CHECK(&shape->torture,
					      !pashm_unpin(own, i * LENGTH));
	}
	pashm_region_close(own);
}

/* One's pin of an extent, by handle @known; the answer as of the ioctl */
static int pin_by(unsigned int number, struct pashm_region *own, unsigned int i,
		  uint32_t known, uint32_t *generation, uint32_t *verdict)
{
	struct pashm_handle handle = { .page = i * LENGTH, .generation = known };
	enum pashm_verdict answer = PASHM_STALE;
	int ret;

	*generation = known;
	if (number == BY_IOCTL &&
	    pashm_region_backend(own) == PASHM_BACKEND_MODULE)
		return region_pin(pashm_region_fd(own), i * LENGTH, generation,
				  verdict);
	ret = pashm_pin(own, handle, &answer);
	*verdict = answer;
	*generation = pashm_generation(own, i * LENGTH);
	return ret;
}

static bool unpin_by(unsigned int number, struct pashm_region *own,
		     unsigned int i)
{
	if (number == BY_IOCTL &&
	    pashm_region_backend(own) == PASHM_BACKEND_MODULE)
		return !region_unpin(pashm_region_fd(own), i * LENGTH);
	return !pashm_unpin(own, i * LENGTH);
}

/* Pinned: the bytes are those of @generation, and stay */
static bool look(struct torture *t, struct pashm_region *own, unsigned int i,
		 uint32_t generation, uint32_t verdict, uint64_t *seed)
{
	uint64_t choice = random_next(seed);

	if (verdict == PASHM_PURGED) {
		if (!TORTURE_CHECK(t, holds(own, i, generation, true)))
			return false;
		fill(own, i, generation);
	}
	if (choice % 4 == 0)
		usleep(choice >> 8 & 511);
	return TORTURE_CHECK(t, holds(own, i, generation, false)) &&
	       TORTURE_CHECK(t, pashm_generation(own, i * LENGTH) ==
				generation);
}

/* @known: the generation of the handle, and what it is after a refill */
static bool visit(struct shape *shape, struct pashm_region *own,
		  unsigned int number, unsigned int i, uint32_t *known,
		  uint64_t *seed)
{
	struct torture *t = &shape->torture;
	struct tally *tally = &shape->tallies[number];
	struct place *place = &shape->places[i];
	uint32_t changes = load(&place->changes), oldest = load(&place->oldest);
	bool stale = (int32_t)(*known - oldest) < 0;
	uint32_t verdict, generation;

	step(&place->holds[number]);
	if (!TORTURE_CHECK(t, !pin_by(number, own, i, *known, &generation,
				      &verdict)))
		return false;
	if (verdict == PASHM_STALE) {
		step(&place->holds[number]);
		torture_count(&tally->stale, stale);
		torture_count(&tally->overtaken, !stale);
		return TORTURE_CHECK(t, stale || changes % 2 ||
					changes != load(&place->changes));
	}
	if (!TORTURE_CHECK(t, !stale) ||
	    !TORTURE_CHECK(t, (verdict == PASHM_INTACT) ==
			      (generation == *known)) ||
	    !look(t, own, i, generation, verdict, seed))
		return false;
	*known = generation;
	torture_count(verdict == PASHM_INTACT ? &tally->intact : &tally->lost,
		      1);
	if (!TORTURE_CHECK(t, unpin_by(number, own, i)))
		return false;
	step(&place->holds[number]);
	return true;
}

/* Mostly by the newest handle; else by one that may be from before */
static void be_pinner(void *arg, unsigned int number, uint64_t seed)
{
	struct shape *shape = arg;
	struct pashm_region *own = become_client(shape);
	uint32_t known[EXTENTS] = {}, old[EXTENTS] = {};

	while (!torture_stopped(&shape->torture)) {
		uint64_t choice = random_next(&seed);
		unsigned int i = choice % EXTENTS;
		uint32_t newest = load(&shape->places[i].handle);

		if ((int32_t)(newest - known[i]) > 0) {
			old[i] = known[i];
			known[i] = newest;
		}
		/* Nothing has been made yet */
		if (!newest)
			continue;
		if (!visit(shape, own, number, i,
			   choice >> 8 & 3 ? &known[i] : &old[i], &seed))
			_exit(1);
		if (choice >> 16 & 1)
			usleep(choice >> 17 & 255);
	}
	pashm_region_close(own);
}

static void be_purger(void *arg, unsigned int number, uint64_t seed)
{
	struct shape *shape = arg;
	struct pashm_region *own = become_client(shape);

	(void)number;
	while (!torture_stopped(&shape->torture)) {
		uint64_t freed = 0;

		TORTURE_CHECK(&shape->torture,
			      !pashm_region_purge(own, &freed));
		torture_count(&shape->purges, freed > 0);
		usleep(random_next(&seed) & 2047);
	}
	pashm_region_close(own);
}

/* All are gone: no pin is left, and the region can do what it could */
static void expect_usable(struct __test_metadata *_metadata,
			  struct _test_data_race_reshape *self)
{
	struct pashm_handle handle;
	enum pashm_verdict verdict;
	unsigned int i;

	EXPECT_EQ(1, backend_info(self->region).clients);
	EXPECT_EQ(0, backend_info(self->region).pinned_extents);
	EXPECT_EQ(0, backend_info(self->region).violations);
	for (i = 0; i < EXTENTS; i++) {
		ASSERT_EQ(0, pashm_extent_create(self->region, i * LENGTH,
						 LENGTH, 3, &handle));
		fill(self->region, i, handle.generation);
		ASSERT_EQ(0, pashm_unpin(self->region, i * LENGTH));
		ASSERT_EQ(0, pashm_pin(self->region, handle, &verdict));
		EXPECT_EQ(PASHM_INTACT, verdict);
		ASSERT_EQ(0, pashm_unpin(self->region, i * LENGTH));
	}
	EXPECT_EQ(PAGES * PAGE, backend_purge(self->region));
	ASSERT_EQ(0, pashm_pin(self->region, handle, &verdict));
	EXPECT_EQ(PASHM_PURGED, verdict);
}

static bool tally_is_full(const struct tally *tally)
{
	return tally->intact && tally->lost && tally->stale;
}

/* Has all happened that can, to everybody? */
static bool shape_is_full(const struct shape *shape)
{
	return shape->made && shape->busy && shape->freed &&
	       shape->busy_frees && shape->discarded && shape->purges &&
	       tally_is_full(&shape->tallies[BY_IOCTL]) &&
	       tally_is_full(&shape->tallies[BY_LIBRARY]);
}

static void print_tally(struct __test_metadata *_metadata,
			const struct tally *tally, const char *how)
{
	TH_LOG("%s: %llu intact, %llu lost, %llu stale, %llu overtaken", how,
	       (unsigned long long)tally->intact,
	       (unsigned long long)tally->lost,
	       (unsigned long long)tally->stale,
	       (unsigned long long)tally->overtaken);
}

TEST_F_TIMEOUT(race_reshape, a_pin_and_a_change_never_both_win, 600)
{
	struct shape *shape = self->shape;
	unsigned int i;

	ASSERT_TRUE(torture_hire(&self->crew, be_shaper, shape, 0));
	for (i = 0; i < PINNERS; i++)
		ASSERT_TRUE(torture_hire(&self->crew, be_pinner, shape, i));
	ASSERT_TRUE(torture_hire(&self->crew, be_purger, shape, 0));
	torture_watch(&self->crew, scaled(SECONDS));
	for (i = 0; i < PATIENCE && !shape_is_full(shape); i++)
		torture_watch(&self->crew, 1);
	torture_end(&self->crew);
	EXPECT_STREQ("", shape->torture.failure);
	TH_LOG("%llu made, %llu refused, %llu freed, %llu refused, %llu discarded, %llu purges",
	       (unsigned long long)shape->made,
	       (unsigned long long)shape->busy,
	       (unsigned long long)shape->freed,
	       (unsigned long long)shape->busy_frees,
	       (unsigned long long)shape->discarded,
	       (unsigned long long)shape->purges);
	print_tally(_metadata, &shape->tallies[BY_IOCTL], "ioctl");
	print_tally(_metadata, &shape->tallies[BY_LIBRARY], "library");
	EXPECT_TRUE(shape_is_full(shape));
	expect_usable(_metadata, self);
}

TEST_HARNESS_MAIN
