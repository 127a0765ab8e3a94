// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages of a range are in memory, and whose they are: looks at the region's
 * page cache under RCU, with a reference on one folio at a time. No locks.
 */
#include <linux/pagemap.h>
#include <linux/rcupdate_wait.h>

#include "census.h"
#include "compat.h"
#include "region.h"

/* Pages counted between two chances to reschedule */
#define PASHM_CENSUS_BATCH	1024
/* Entries looked at to tell whose an extent is */
#define PASHM_SAMPLE		64
/* And to tell about how much of it is there */
#define PASHM_SAMPLE_FEW	8

/* Pages of @folio inside the range; a large one may stick out */
static unsigned long pashm_folio_part(struct folio *folio, unsigned long start,
				      unsigned long last)
{
	unsigned long first, end;

	if (!folio_test_large(folio))
		return 1;
	first = max(start, folio->index);
	end = min(last + 1, folio->index + folio_nr_pages(folio));
	return end > first ? end - first : 0;
}

/*
 * The folio that a walk under RCU has found, with a reference, or NULL. Without
 * one it could turn into something else while we look: from 7.2 on, the place of
 * the memcg is a number in the second page of a large folio.
 */
static struct folio *pashm_folio_get(struct xa_state *xas, void *entry)
{
	struct folio *folio = entry;

	if (xas_retry(xas, entry) || xa_is_value(entry) ||
	    !folio_try_get(folio))
		return NULL;
	if (likely(xas_reload(xas) == entry))
		return folio;
	folio_put(folio);
	return NULL;
}

static bool pashm_folio_is_on(struct folio *folio, int nid)
{
	return nid == NUMA_NO_NODE || pashm_page_nid(&folio->page) == nid;
}

/* Under RCU, with a reference on the folio */
static bool pashm_folio_matches(struct folio *folio,
				const struct pashm_census *wanted)
{
	return pashm_folio_memcg(folio) == wanted->memcg &&
	       pashm_folio_is_on(folio, wanted->nid);
}

/* Interleaved on nodes, an extent may begin on any: its first page tells nothing */
static enum pashm_sample pashm_folio_sample(struct folio *folio,
					    const struct pashm_census *wanted)
{
	if (pashm_folio_memcg(folio) != wanted->memcg)
		return PASHM_SAMPLE_OTHERS;
	return pashm_folio_is_on(folio, wanted->nid) ? PASHM_SAMPLE_OURS :
						       PASHM_SAMPLE_UNKNOWN;
}

/*
 * Count what a purge of the range would free. A snapshot: faults go on, and a
 * folio that is just coming or going may be missed.
 */
void pashm_census_take(struct pashm_region *region, unsigned long start,
		       unsigned long length, struct pashm_census *census)
{
	XA_STATE(xas, &region->inode->i_mapping->i_pages, start);
	unsigned long last = start + length - 1;
	void *entry;

	census->entries = 0;
	census->resident = 0;
	census->matching = 0;
	census->kept = 0;
	census->locked = false;
	rcu_read_lock();
	xas_for_each(&xas, entry, last) {
		struct folio *folio = pashm_folio_get(&xas, entry);
		unsigned long part;

		if (folio) {
			part = pashm_folio_part(folio, start, last);
			census->resident += part;
			if (pashm_folio_matches(folio, census))
				census->matching += part;
			if (folio_test_locked(folio))
				census->locked = true;
			folio_put(folio);
		}
		if (++census->entries % PASHM_CENSUS_BATCH == 0) {
			xas_pause(&xas);
			cond_resched_rcu();
		}
	}
	rcu_read_unlock();
}

/* Does the first of the range's pages in memory match what is @wanted? Cheap */
enum pashm_sample pashm_sample_take(struct pashm_region *region,
				    unsigned long start, unsigned long length,
				    const struct pashm_census *wanted)
{
	XA_STATE(xas, &region->inode->i_mapping->i_pages, start);
	enum pashm_sample sample = PASHM_SAMPLE_NONE;
	unsigned long last = start + length - 1;
	unsigned int left = PASHM_SAMPLE;
	void *entry;

	rcu_read_lock();
	xas_for_each(&xas, entry, last) {
		struct folio *folio;

		if (!left--) {
			sample = PASHM_SAMPLE_UNKNOWN;
			break;
		}
		sample = PASHM_SAMPLE_SWAPPED;
		folio = pashm_folio_get(&xas, entry);
		if (!folio)
			continue;
		sample = pashm_folio_sample(folio, wanted);
		folio_put(folio);
		break;
	}
	rcu_read_unlock();
	return sample;
}

/*
 * About how many pages of a range are in memory: all are looked at in a short one, the
 * first in a long one. Cheap.
 */
unsigned long pashm_sample_resident(struct pashm_region *region,
				    unsigned long start, unsigned long length)
{
	XA_STATE(xas, &region->inode->i_mapping->i_pages, start);
	unsigned long last = start + length - 1, pages = 0;
	unsigned int left = PASHM_SAMPLE_FEW;
	void *entry;

	rcu_read_lock();
	xas_for_each(&xas, entry, last) {
		struct folio *folio = pashm_folio_get(&xas, entry);
		unsigned long seen = xas.xa_index + 1;

		if (folio) {
			pages += pashm_folio_part(folio, start, last);
			seen = min(folio_next_index(folio), last + 1);
			folio_put(folio);
		}
		if (!--left) {
			pages = mult_frac(pages, length, max(seen, start + 1) - start);
			break;
		}
	}
	rcu_read_unlock();
	return min(pages, length);
}

/*
 * What a truncation has really freed: a large folio that is in use elsewhere cannot
 * be split, and stays when a part of it is cut off. What faults have brought back
 * meanwhile does not count as freed either.
 */
void pashm_census_settle(struct pashm_region *region, unsigned long start,
			 unsigned long length, struct pashm_census *census)
{
	struct pashm_census after = {
		.memcg = census->memcg,
		.nid = census->nid,
	};

	pashm_census_take(region, start, length, &after);
	census->resident -= min(census->resident, after.resident);
	census->matching -= min(census->matching, after.matching);
	census->kept = after.resident;
	census->entries += after.entries;
}

static bool pashm_entry_sticks_out(struct xarray *pages, unsigned long index,
				   unsigned long start, unsigned long last)
{
	unsigned long first, number;

	if (!xa_is_value(xa_load(pages, index)))
		return false;
	number = 1UL << xa_get_order(pages, index);
	first = round_down(index, number);
	return first < start || first + number - 1 > last;
}

/*
 * Is something swapped out in one piece with what is beside the range? A truncation
 * would have to read all of that in first. Only where extents share large folios, which
 * are swapped out as they are from 6.12 on. A snapshot, without a lock: what is swapped
 * out after this look is read in all the same.
 */
bool pashm_swap_sticks_out(struct pashm_region *region, unsigned long start,
			   unsigned long length)
{
	struct xarray *pages = &region->inode->i_mapping->i_pages;
	unsigned long last = start + length - 1;

	return pashm_entry_sticks_out(pages, start, start, last) ||
	       pashm_entry_sticks_out(pages, last, start, last);
}
