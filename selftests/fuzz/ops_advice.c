// SPDX-License-Identifier: GPL-2.0-only
/* Mappings as the kernel is told to treat them: advice, locks, syncs. */
#include "ops.h"

void op_madvise(struct stream *s)
{
	static const int advices[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
		MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK,
		MADV_DOFORK, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK,
		MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, 24 /* DONTNEED_LOCKED */,
		25 /* COLLAPSE */, 26, 99, -1,
	};
	int advice = advices[below(s, sizeof(advices) / sizeof(*advices))];
	struct map *m = map_pick(s);
	size_t first = 0, n;
	struct expect e = {};
	long ret;

	if (!m)
		return;
	n = m->pages;
	if (once_in(s, 2)) {
		first = below(s, m->pages);
		n = small(s, m->pages - first);
		m->split = true;
	}
	/* To undo the ban on a copy for children is worth to be tried */
	if (m->what == PINS && once_in(s, 3))
		advice = MADV_DOFORK;
	/* Whether advice is taken is the kernel's matter, and so is its error */
	may(&e, EINVAL);
	may(&e, EAGAIN);
	may(&e, EFAULT);
	may(&e, ENOMEM);
	may(&e, EBADF);
	may(&e, EBUSY);
	may(&e, EPERM);
	may(&e, EACCES);
	if (advice == MADV_REMOVE) {
		/* A hole that no generation tells of */
		e = (struct expect) {};
		must(&e, EPERM);
		must(&e, EACCES);
		must(&e, EINVAL);
		must(&e, EOPNOTSUPP);
		must(&e, ENODEV);
	}
	ret = TRY(s, "madvise", "map %ld of region %ld, %ld pages, advice %ld",
		  m - self.maps, m->region, (long)n, advice,
		  madvise(m->address + first * PAGE_BYTES, n * PAGE_BYTES,
			  advice));
	check(&e, ret);
	if (advice == MADV_DONTFORK || advice == MADV_DOFORK)
		m->fork_unsure = true;
}

void op_msync(struct stream *s)
{
	struct map *m = map_pick(s);
	static const int modes[] = { MS_SYNC, MS_ASYNC, MS_INVALIDATE,
				     MS_SYNC | MS_INVALIDATE };
	struct expect e = {};

	if (!m)
		return;
	may(&e, EBUSY);
	/* Tables are no file that could be written back */
	if (m->what != DATA)
		may(&e, EINVAL);
	check(&e, TRY(s, "msync", "map %ld of region %ld", m - self.maps,
		      m->region, 0, 0,
		      msync(m->address, m->pages * PAGE_BYTES,
			    modes[below(s, 4)])));
}

void op_mlock(struct stream *s)
{
	struct map *m = map_pick(s);
	uint64_t what = below(s, 4);
	struct expect e = {};
	size_t bytes;

	if (!m)
		return;
	bytes = m->pages * PAGE_BYTES;
	/* What cannot be read cannot be brought in */
	may(&e, ENOMEM);
	may(&e, EAGAIN);
	check(&e, TRY(s, "mlock", "map %ld of region %ld, %ld", m - self.maps,
		      m->region, (long)what, 0,
		      what == 0 ? mlock(m->address, bytes) :
		      what == 1 ? mlock2(m->address, bytes, 1) :
				  munlock(m->address, bytes)));
	m->split = true;
}
