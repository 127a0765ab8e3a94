// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The clients of a memfd region.
 *
 * A client is an entry of the directory, a pin table, and an OFD lock on the
 * entry's byte held by the client's own file description. It enters the
 * directory under the purge lock, so every purger that claims later counts its
 * pins. The lock goes when the description goes: when the client closes the
 * region or dies, at whatever instruction. Whoever holds the purge lock and
 * then gets the byte's lock as well has proof of the death; it clears the pin
 * table first and the entry last, so dying half-way is harmless.
 */
#include <unistd.h>
#include "memfd.h"

static uint64_t table_offset(const struct memfd_region *m, uint32_t client)
{
	return m->layout.pins + client * m->layout.pins_size;
}

static bool is_sole(const struct memfd_region *m)
{
	return m->base.view.flags & PASHM_REGION_SOLE;
}

/* The client's lock is ours: drop its pins and its entry */
static void entry_clear(struct memfd_region *m, uint32_t client)
{
	pashm_memfd_punch(m, table_offset(m, client), m->layout.pins_size);
	/* release: no pin of the old owner is left when the entry is free */
	__atomic_store_n(&m->clients[client].live, 0, __ATOMIC_RELEASE);
	__atomic_fetch_sub(&m->header->base.clients, 1, __ATOMIC_RELAXED);
}

int pashm_memfd_attach(struct memfd_region *m)
{
	struct memfd_entry *entry;
	uint32_t i;
	int ret;

	for (i = 0; i < MEMFD_CLIENTS; i++) {
		entry = &m->clients[i];
		if (__atomic_load_n(&entry->live, __ATOMIC_ACQUIRE))
			continue;
		ret = pashm_memfd_ofd_lock(m, MEMFD_LOCK_CLIENT(i));
		if (ret == -EAGAIN)
			continue;
		if (ret)
			return ret;
		/* Whatever somebody may have left there is not our pins */
		ret = pashm_memfd_punch(m, table_offset(m, i),
					m->layout.pins_size);
		if (ret) {
			pashm_memfd_ofd_unlock(m, MEMFD_LOCK_CLIENT(i));
			return ret;
		}
		entry->incarnation++;
		entry->pid = (uint32_t)getpid();
		__atomic_store_n(&entry->live, 1, __ATOMIC_RELEASE);
		__atomic_fetch_add(&m->header->base.clients, 1,
				   __ATOMIC_RELAXED);
		m->client = i;
		return 0;
	}
	return -EUSERS;
}

/* The caller has unmapped the pin table, or is about to give up anyway */
void pashm_memfd_detach(struct memfd_region *m)
{
	entry_clear(m, m->client);
	m->client = MEMFD_NO_CLIENT;
}

static void peer_add(struct memfd_region *m, uint32_t client,
		     const uint32_t *words)
{
	m->peers[m->peer_count++] = (struct memfd_peer){
		.client = client, .words = words,
	};
}

/* List the clients that live, this one first, and bury those that do not */
void pashm_memfd_peers_gather(struct memfd_region *m)
{
	uint64_t stride = m->layout.pins_size / sizeof(uint32_t);
	uint32_t i;

	m->peer_count = 0;
	if (m->client != MEMFD_NO_CLIENT)
		peer_add(m, m->client, m->base.view.pins);
	if (is_sole(m))
		return;
	for (i = 0; i < MEMFD_CLIENTS; i++) {
		if (i == m->client ||
		    !__atomic_load_n(&m->clients[i].live, __ATOMIC_ACQUIRE))
			continue;
		if (pashm_memfd_ofd_lock(m, MEMFD_LOCK_CLIENT(i))) {
			peer_add(m, i, m->pin_tables + i * stride);
			continue;
		}
		entry_clear(m, i);
		pashm_memfd_ofd_unlock(m, MEMFD_LOCK_CLIENT(i));
	}
}

/*
 * A pin word in a table page that SEEK_DATA takes for a hole, which can be
 * wrong (memfd_walk.c): read() is not, and does not allocate. Anything but zero
 * proves the page, and then the word is read as it should be. What cannot be
 * read counts as pinned.
 */
static bool word_is_zero(const struct memfd_region *m, uint64_t offset,
			 bool *failed)
{
	uint32_t word = 0;

	*failed = pread(m->lock_fd, &word, sizeof(word), (off_t)offset) !=
		  sizeof(word);
	return word == 0;
}

/*
 * A client's pin word. Reading a table page that does not exist would allocate
 * it, so look whether it does; with @sure, leave no doubt. If it does not, then
 * after (B) that means zero: the page is in the file before the fault that made
 * it returns, hence before the client's barrier (A).
 *
 * acquire: pairs with the release of an unpin: what was written under the pin
 * is in memory before the pages can go.
 */
static uint32_t peer_word(struct memfd_region *m, struct memfd_peer *peer,
			  uint32_t page, bool sure)
{
	uint64_t table_page = (uint64_t)page >> (m->layout.page_shift - 2);
	uint64_t offset = table_offset(m, peer->client) +
			  (table_page << m->layout.page_shift);

	bool failed = false;

	if (peer->present != table_page + 1) {
		if (pashm_memfd_seek_data(m, offset, offset + 1) != offset &&
		    (!sure || word_is_zero(m, table_offset(m, peer->client) +
					   page * sizeof(uint32_t), &failed)))
			return failed ? UINT32_MAX : 0;
		peer->present = table_page + 1;
	}
	return __atomic_load_n(&peer->words[page], __ATOMIC_ACQUIRE);
}

bool pashm_memfd_pinned(struct memfd_region *m, uint32_t page, bool others)
{
	uint32_t i;

	for (i = 0; i < m->peer_count; i++) {
		if (others && m->peers[i].client == m->client)
			continue;
		if (pashm_pin_count(peer_word(m, &m->peers[i], page, true)))
			return true;
	}
	return false;
}

/*
 * The freshest note counts; one that says "used in several epochs" makes it look so
 * many times fresher.
 */
bool pashm_memfd_pinned_or_age(struct memfd_region *m, uint32_t page,
			       uint32_t epoch, uint32_t *age)
{
	uint32_t i, word, frequency, note;

	*age = 0xff;
	for (i = 0; i < m->peer_count; i++) {
		word = peer_word(m, &m->peers[i], page, false);
		if (pashm_pin_count(word))
			return true;
		/* No epoch is 0: this client has left no note */
		if (!pashm_pin_recency(word))
			continue;
		frequency = pashm_pin_frequency(word);
		note = pashm_note_age(epoch, pashm_pin_recency(word)) /
		       (frequency ? frequency : 1);
		if (note < *age)
			*age = note;
	}
	return false;
}
