// SPDX-License-Identifier: GPL-2.0-only
#include "journal.h"
#include "model.h"

#define WORDS		(PAGE_BYTES / sizeof(uint64_t))
/* No extent is lost so often between two looks */
#define LOSSES_MAX	(1U << 24)

/* The head of the extent that holds @page, or a page past all: none does */
size_t extent_of(const struct region *r, size_t page)
{
	size_t first = window_first(r, page), head = page + 1;

	while (head-- > first)
		if (r->length[head])
			return head + r->length[head] > page ? head : SIZE_MAX;
	return SIZE_MAX;
}

/* Does any client but @except hold a pin on @head? */
enum certainty pinned(const struct region *r, size_t head, int except)
{
	enum certainty result = NO;
	int i;

	for (i = 0; i < CLIENTS; i++) {
		if (i == except || !r->count[i][head])
			continue;
		if (r->clients[i].life == LIVE)
			return YES;
		if (r->clients[i].life == FADING)
			result = MAYBE;
	}
	return result;
}

uint64_t state_word(const struct region *r, size_t page)
{
	return __atomic_load_n(&view_of(r)->states[page], __ATOMIC_SEQ_CST);
}

uint64_t settled_word(const struct region *r, size_t page)
{
	uint64_t word = state_word(r, page);
	int tries;

	for (tries = 0; pashm_state_purging(word); tries++) {
		if (tries > 10000)
			fail("region %d page %zu: PURGING does not end",
			     region_number(r), page);
		usleep(1000);
		word = state_word(r, page);
	}
	return word;
}

/* --- contents --- */

uint64_t word_of_pattern(const struct region *r, size_t page, uint32_t stamp,
			 size_t word)
{
	if (!stamp)
		return 0;
	return mix3(stamp, (uint64_t)region_number(r) << 32 | page, word);
}

/* Words of a page that the model writes: the ends and one between */
static size_t word_written(uint32_t stamp, int i)
{
	return i == 0 ? 0 : i == 1 ? WORDS - 1 : 1 + stamp % (WORDS - 2);
}

static const uint64_t *page_words(const struct region *r, size_t page)
{
	return (const uint64_t *)(view_of(r)->data + page * PAGE_BYTES);
}

void page_check(struct region *r, size_t page)
{
	const uint64_t *words = page_words(r, page);
	uint32_t stamp = r->stamp[page];
	int i;

	if (r->unknown[page])
		return;
	for (i = 0; i < 3; i++) {
		size_t word = word_written(stamp, i);
		uint64_t wanted = word_of_pattern(r, page, stamp, word);
		uint64_t found = __atomic_load_n(&words[word],
						 __ATOMIC_RELAXED);

		if (found != wanted)
			fail("region %d page %zu word %zu is %#llx, wanted %#llx (stamp %#x, generation %u, state %#llx)",
			     region_number(r), page, word,
			     (unsigned long long)found,
			     (unsigned long long)wanted, stamp,
			     r->generation[page],
			     (unsigned long long)state_word(r, page));
	}
}

void page_fill(struct region *r, size_t page, uint32_t stamp)
{
	uint64_t *words = (uint64_t *)(view_of(r)->data + page * PAGE_BYTES);
	size_t word = word_written(stamp, 2);
	uint32_t old = r->stamp[page];

	/* Anything may be in a page that nobody has answered for */
	if (r->unknown[page])
		memset(words, 0, PAGE_BYTES);
	else if (old && old != stamp)
		words[word_written(old, 2)] = 0;
	words[0] = word_of_pattern(r, page, stamp, 0);
	words[word] = word_of_pattern(r, page, stamp, word);
	words[WORDS - 1] = word_of_pattern(r, page, stamp, WORDS - 1);
	r->stamp[page] = stamp;
	r->unknown[page] = false;
}

void extent_check(struct region *r, size_t head)
{
	size_t page;

	for (page = head; page < head + r->length[head]; page++)
		page_check(r, page);
}

/* Give a pinned extent new contents, all of it or some of its pages */
void extent_fill(struct stream *s, struct region *r, size_t head)
{
	uint32_t stamp = (uint32_t)draw(s) | 1;
	bool all = !once_in(s, 4);
	size_t page;

	if (!view_of(r)->writable)
		return;
	for (page = head; page < head + r->length[head]; page++)
		if (all || once_in(s, 3))
			page_fill(r, page, stamp);
}

/* --- losses --- */

/* The pages were taken: zeros, unless somebody has written unasked since */
static void extent_lost(struct region *r, size_t head)
{
	size_t page;

	for (page = head; page < head + r->length[head]; page++)
		r->stamp[page] = 0;
	r->doomed[head] = false;
}

/* It should be gone: who has it pinned, and would it go now? */
static void survivor_report(struct region *r, size_t page, uint32_t generation)
{
	unsigned int surely = 0, perhaps = 0;
	struct pashm_info info;
	size_t i;

	for (i = 0; i < r->pages; i++) {
		surely += r->length[i] && pinned(r, i, NOBODY) == YES;
		perhaps += r->length[i] && pinned(r, i, NOBODY) == MAYBE;
	}
	info = region_info(r->warden);
	region_purge(r->warden);
	fail("region %d page %zu: generation %u has survived a purge of all; %llu extents are pinned, wanted %u to %u; after another purge it is %u",
	     region_number(r), page, generation,
	     (unsigned long long)info.pinned_extents, surely, surely + perhaps,
	     pashm_state_generation(settled_word(r, page)));
}

static void follow(struct region *r, size_t page, uint32_t generation,
		   uint32_t gain)
{
	uint32_t losses = generation - gain - r->generation[page];

	if (losses > LOSSES_MAX)
		fail("region %d page %zu: generation %u after %u (+%u)",
		     region_number(r), page, generation, r->generation[page],
		     gain);
	if (losses && !r->length[page])
		fail("region %d page %zu: nothing starts here, but the generation went from %u to %u",
		     region_number(r), page, r->generation[page], generation);
	if (losses && pinned(r, page, NOBODY) == YES)
		fail("region %d page %zu: pinned, but the generation went from %u to %u",
		     region_number(r), page, r->generation[page], generation);
	if (!losses && r->doomed[page])
		survivor_report(r, page, generation);
	if (losses)
		extent_lost(r, page);
	r->generation[page] = generation;
}

/* Windows have locks of their own, but share the sums */
static void losses_count(struct region *r, size_t head, uint32_t losses)
{
	uint64_t sure = 0;
	size_t page;

	for (page = head; page < head + r->length[head]; page++)
		sure += r->stamp[page] && !r->unknown[page];
	__atomic_fetch_add(&r->losses, losses, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->lost_pages, losses * (uint64_t)r->length[head],
			   __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->lost_sure, sure, __ATOMIC_RELAXED);
}

void observe(struct region *r, size_t page, uint32_t generation, uint32_t gain)
{
	uint32_t losses = generation - gain - r->generation[page];

	if (losses && losses <= LOSSES_MAX)
		losses_count(r, page, losses);
	follow(r, page, generation, gain);
}

static bool surely_populated(const struct region *r, size_t head)
{
	size_t page;

	for (page = head; page < head + r->length[head]; page++)
		if (r->stamp[page] && !r->unknown[page])
			return true;
	return false;
}

/*
 * All unpinned memory has been purged while every window was locked: what was
 * there for certain, and held by nobody for certain, must have been taken.
 */
void doom_unpinned(struct region *r)
{
	size_t head;

	for (head = 0; head < r->pages; head++)
		if (r->length[head] && pinned(r, head, NOBODY) == NO &&
		    surely_populated(r, head))
			r->doomed[head] = true;
}

/* --- the whole of a window against the tables and the memory --- */

static void head_audit(struct region *r, size_t head)
{
	uint64_t word = state_word(r, head);

	if (pashm_state_length(word) != r->length[head] ||
	    (r->length[head] &&
	     pashm_state_priority(word) != r->priority[head]))
		fail("region %d page %zu: state %#llx, wanted length %u, priority %u",
		     region_number(r), head, (unsigned long long)word,
		     r->length[head], r->priority[head]);
	if (r->length[head] && view_of(r)->births[head] != r->birth[head])
		fail("region %d page %zu: birth %u, wanted %u",
		     region_number(r), head, view_of(r)->births[head],
		     r->birth[head]);
	/* Of a word under purge, the generation may be on its way */
	if (!pashm_state_purging(word))
		observe(r, head, pashm_state_generation(word), 0);
}

void window_audit(struct region *r, size_t page)
{
	size_t i, end = window_end(r, page), managed = 0;

	for (i = window_first(r, page); i < end; i++) {
		head_audit(r, i);
		if (r->length[i] && pinned(r, i, NOBODY) == YES)
			extent_check(r, i);
		if (r->length[i])
			managed = i + r->length[i];
		/* Nothing is taken from pages that no extent has */
		if (i >= managed)
			page_check(r, i);
	}
}

/* --- locks --- */

/*
 * Somebody was killed in the middle of an operation. Which of its effects have
 * come about can be read from the tables; what others had pinned must be as it
 * was.
 */
static void head_recover(struct region *r, size_t page)
{
	uint64_t word = settled_word(r, page);
	int i;

	if (pinned(r, page, NOBODY) == YES &&
	    pashm_state_length(word) != r->length[page])
		fail("region %d page %zu: a dead client has changed a pinned extent, %#llx",
		     region_number(r), page, (unsigned long long)word);
	if (pashm_state_length(word) == r->length[page] && r->length[page])
		follow(r, page, pashm_state_generation(word), 0);
	r->length[page] = pashm_state_length(word);
	r->generation[page] = pashm_state_generation(word);
	r->priority[page] = (uint8_t)pashm_state_priority(word);
	r->birth[page] = view_of(r)->births[page];
	r->doomed[page] = false;
	for (i = 0; i < CLIENTS; i++)
		if (r->clients[i].life == FADING)
			r->count[i][page] = 1;
}

static void window_recover(struct region *r, size_t first)
{
	size_t page, end = window_end(r, first), free = 0;

	if (r->hostile)
		return;
	/* What a dead reshape has done to generations is no loss, but unknown */
	__atomic_store_n(&r->losses_missed, true, __ATOMIC_RELAXED);
	/* The one who died may have been half-way through writing */
	for (page = first; page < end; page++) {
		r->doomed[page] = false;
		r->unknown[page] = true;
		head_recover(r, page);
	}
	for (page = first; page < end; page++) {
		if (!r->length[page])
			continue;
		if (page < free || page + r->length[page] > end)
			fail("region %d page %zu: length %u overlaps or leaves its window",
			     region_number(r), page, r->length[page]);
		free = page + r->length[page];
	}
}

static void window_lock(struct region *r, size_t number)
{
	int ret = pthread_mutex_lock(&r->locks[number]);

	/* Who has failed leaves its locks behind; there is no more to learn */
	if (__atomic_load_n(&world->failed, __ATOMIC_SEQ_CST))
		_exit(3);
	if (ret == EOWNERDEAD) {
		window_recover(r, number * r->window);
		pthread_mutex_consistent(&r->locks[number]);
	} else if (ret) {
		fail("a lock of the model: %s", strerror(ret));
	}
}

/* Lock the windows of pages @first to @last; in this order only */
void region_lock(struct region *r, size_t first, size_t last)
{
	size_t i;

	for (i = first / r->window; i <= last / r->window; i++)
		window_lock(r, i);
}

void region_unlock(struct region *r, size_t first, size_t last)
{
	size_t i;

	for (i = first / r->window; i <= last / r->window; i++)
		pthread_mutex_unlock(&r->locks[i]);
}

void region_lock_all(struct region *r)
{
	region_lock(r, 0, r->pages - 1);
}

void region_unlock_all(struct region *r)
{
	region_unlock(r, 0, r->pages - 1);
}
