// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several threads of one client, which share its counts: they pin and unpin one
 * extent at once, by the tables and by ioctl, while others purge. Each looks at
 * what it has pinned, and in the end the count is what it was.
 */
#include "ops.h"
#include "pins.h"

#define THREADS		2
#define PINS_EACH	100

struct pinner {
	pthread_t thread;
	struct player *p;
	size_t page;
	bool by_ioctl;
	uint32_t generation;		/* that it knows */
	uint64_t wanted;		/* first word under that generation */
	/* What was wrong, if anything; the process's own thread reports */
	const char *wrong;
	long ret;
	uint32_t found_generation;
	uint64_t found;
};

static long pin_once(struct pinner *t, uint32_t *generation)
{
	struct region *r = region_of(t->p);
	uint32_t verdict, known = t->generation;
	uint64_t state;
	long ret;

	if (t->by_ioctl) {
		*generation = known;
		ret = region_pin(t->p->fds[0], t->page, generation, &verdict);
		if (ret)
			return ret;
		return verdict == (*generation == known ? PASHM_INTACT :
							  PASHM_PURGED) ?
		       0 : -ESTALE;
	}
	pin_raise(t->p, t->page);
	do {
		state = state_word(r, t->page);
	} while (pashm_state_purging(state));
	*generation = pashm_state_generation(state);
	return 0;
}

static long unpin_once(struct pinner *t)
{
	if (t->by_ioctl)
		return region_unpin(t->p->fds[0], t->page);
	pin_lower(t->p, t->page);
	return 0;
}

static void *pin_often(void *arg)
{
	struct pinner *t = arg;
	const uint64_t *word = (const uint64_t *)
			       (view_of(region_of(t->p))->data +
				t->page * PAGE_BYTES);
	int i;

	for (i = 0; i < PINS_EACH && !t->wrong; i++) {
		t->ret = pin_once(t, &t->found_generation);
		if (t->ret) {
			t->wrong = "a pin is refused";
			break;
		}
		/* Lost once, it stays empty: nobody writes meanwhile */
		if (t->found_generation != t->generation)
			t->wanted = 0;
		if ((int32_t)(t->found_generation - t->generation) < 0)
			t->wrong = "the generation goes back";
		t->generation = t->found_generation;
		t->found = __atomic_load_n(word, __ATOMIC_RELAXED);
		if (t->found != t->wanted)
			t->wrong = "the contents are others";
		t->ret = unpin_once(t);
		if (t->ret)
			t->wrong = "an unpin is refused";
	}
	return NULL;
}

/* All windows that matter are locked, and the extent's contents are known */
static void pin_together(struct player *p, size_t page)
{
	struct pinner pinners[THREADS];
	struct region *r = region_of(p);
	int i;

	for (i = 0; i < THREADS; i++) {
		pinners[i] = (struct pinner) {
			.p = p, .page = page, .by_ioctl = i % 2,
			.generation = r->generation[page],
			.wanted = word_of_pattern(r, page, r->stamp[page], 0),
		};
		if (pthread_create(&pinners[i].thread, NULL, pin_often,
				   &pinners[i]))
			fail("a thread cannot be made");
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(pinners[i].thread, NULL);
	for (i = 0; i < THREADS; i++) {
		const struct pinner *t = &pinners[i];

		if (t->wrong)
			fail("region %d page %zu, thread %d: %s: %s, generation %u, word 0 is %#llx, wanted %#llx",
			     p->region, page, i, t->wrong, result_name(t->ret),
			     t->found_generation, (unsigned long long)t->found,
			     (unsigned long long)t->wanted);
	}
	observe(r, page, pashm_state_generation(settled_word(r, page)), 0);
}

void op_threads(struct stream *s)
{
	size_t page;
	struct player *p = lock_idle_extent(s, &page);
	struct region *r;

	if (!p)
		return;
	r = region_of(p);
	journal_call("threads", "client %ld/%ld, page %ld", p->region,
		     p->client, (long)page, 0);
	/* Pinned for a moment, so that all begin with the same contents */
	pin_raise(p, page);
	observe(r, page, pashm_state_generation(settled_word(r, page)), 0);
	page_check(r, page);
	page_fill(r, page, (uint32_t)draw(s) | 1);
	pin_lower(p, page);
	pin_together(p, page);
	page_check(r, page);
	count_check(p, page);
	journal_return(0);
	region_unlock(r, page, page);
}
