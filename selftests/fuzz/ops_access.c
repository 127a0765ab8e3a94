// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory read and written through mappings as they happen to be. The kernel
 * does it for us, so that what is not allowed is an error and no signal.
 */
#include <sys/uio.h>

#include "ops.h"

#define WORDS	(PAGE_BYTES / sizeof(uint64_t))

static int ends[2] = { -1, -1 };

/* For each process anew: what one writes, it reads */
void access_open(void)
{
	if (ends[0] >= 0) {
		close(ends[0]);
		close(ends[1]);
	}
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		fail("pipe: %s", strerror(errno));
}

/* Through a pipe, as some kernels lack process_vm_readv() */
static long copy_by_pipe(const void *from, void *to, size_t bytes)
{
	static char rest[PAGE_BYTES];
	long ret = write(ends[1], from, bytes);
	int error;

	if (ret <= 0)
		return ret;
	ret = read(ends[0], to, (size_t)ret);
	error = errno;
	/* What could not be read is still in there; this, too, may fail once */
	while (read(ends[0], rest, sizeof(rest)) > 0 || errno != EAGAIN)
		;
	errno = error;
	return ret;
}

static long copy_page(struct stream *s, void *from, void *to, size_t bytes,
		      bool write)
{
	struct iovec own = { write ? from : to, bytes };
	struct iovec other = { write ? to : from, bytes };
	long ret;

	if (once_in(s, 2))
		return copy_by_pipe(from, to, bytes);
	ret = write ? process_vm_writev(getpid(), &own, 1, &other, 1, 0) :
		      process_vm_readv(getpid(), &own, 1, &other, 1, 0);
	return ret < 0 && errno == ENOSYS ? copy_by_pipe(from, to, bytes) : ret;
}

/* Pin words do not come along to a child, even if it has asked for them */
void pins_after_fork(void)
{
	uint32_t word;
	int i;

	for (i = 0; i < MAPS; i++) {
		struct map *m = &self.maps[i];

		if (!m->used || m->what != PINS)
			continue;
		m->used = false;
		if (copy_by_pipe(m->address, &word, sizeof(word)) >= 0)
			fail("a child reads its parent's pin words (map %d of region %d)",
			     i, m->region);
	}
}

/* Is what was read through some mapping what the model has? */
static void contents_check(const struct region *r, size_t page,
			   const uint64_t *words)
{
	size_t head = extent_of(r, page);
	bool stable = head == SIZE_MAX || pinned(r, head, NOBODY) == YES;
	uint64_t wanted = word_of_pattern(r, page, r->stamp[page], 0);

	if (r->unknown[page] || words[0] == wanted || (!stable && !words[0]))
		return;
	fail("region %d page %zu, by a mapping: word 0 is %#llx, wanted %#llx",
	     region_number(r), page, (unsigned long long)words[0],
	     (unsigned long long)wanted);
}

void op_read_map(struct stream *s)
{
	struct map *m = map_pick(s);
	static uint64_t words[WORDS];
	struct expect e = {};
	struct region *r;
	size_t page;
	long ret;

	if (!m)
		return;
	r = &world->regions[m->region];
	page = below(s, m->pages);
	must_if(&e, !(m->prot & RWX), EFAULT);
	/* To the processor, the right to write is one to read */
	if (!(m->prot & PROT_READ))
		may(&e, EFAULT);
	if (m->what == DATA)
		region_lock(r, m->first + page, m->first + page);
	ret = TRY(s, "read a mapping", "map %ld of region %ld (%ld), page %ld",
		  m - self.maps, m->region, m->what, (long)page,
		  copy_page(s, m->address + page * PAGE_BYTES, words, PAGE_BYTES,
			    false));
	/* A private mapping may have copies, made by more than just a write */
	if (check(&e, ret) && m->what == DATA && !r->hostile && m->shared &&
	    ret == (long)PAGE_BYTES)
		contents_check(r, m->first + page, words);
	if (m->what == DATA)
		region_unlock(r, m->first + page, m->first + page);
}

/* May this be scribbled on? Tables of honest regions may not */
static bool may_scribble(const struct map *m)
{
	return m->what == DATA || world->regions[m->region].hostile ||
	       !(m->prot & PROT_WRITE);
}

static void scribbled(struct map *m, size_t page)
{
	struct region *r = &world->regions[m->region];

	if (m->shared && m->what == DATA)
		r->unknown[m->first + page] = true;
}

void op_write_map(struct stream *s)
{
	struct map *m = map_pick(s);
	uint64_t word = draw(s);
	struct expect e = {};
	struct region *r;
	size_t page, at;

	if (!m || !may_scribble(m))
		return;
	r = &world->regions[m->region];
	page = below(s, m->pages);
	at = page * PAGE_BYTES + below(s, WORDS) * sizeof(word);
	must_if(&e, !(m->prot & PROT_WRITE), EFAULT);
	if (m->what == DATA)
		region_lock(r, m->first + page, m->first + page);
	/* Before: a killed process does not come back to say it */
	if (m->prot & PROT_WRITE)
		scribbled(m, page);
	check(&e, TRY(s, "write a mapping",
		      "map %ld of region %ld (%ld), page %ld", m - self.maps,
		      m->region, m->what, (long)page,
		      copy_page(s, &word, m->address + at, sizeof(word), true)));
	if (m->what == DATA)
		region_unlock(r, m->first + page, m->first + page);
}

/* A debugger's way to write, which rights do not stop: but sharing does */
void op_force_write(struct stream *s)
{
	struct map *m = map_pick(s);
	struct expect e = {};
	uint64_t word = 0;
	int fd;

	if (!m || !m->shared || m->prot & PROT_WRITE)
		return;
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	must(&e, EIO);
	must(&e, EFAULT);
	check(&e, TRY(s, "force a write", "map %ld of region %ld (%ld)",
		      m - self.maps, m->region, m->what, 0,
		      pwrite(fd, &word, sizeof(word),
			     (off_t)(uintptr_t)m->address)));
	close(fd);
}

static void map_file_use(struct stream *s, int fd)
{
	struct expect e = {};
	uint64_t word;

	must(&e, EBADF);
	must(&e, EINVAL);
	must(&e, EPERM);
	check(&e, TRY(s, "cut a map file", "fd %ld", fd, 0, 0, 0,
		      ftruncate(fd, 0)));
	check(&e, TRY(s, "punch a map file", "fd %ld", fd, 0, 0, 0,
		      fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				FALLOC_FL_KEEP_SIZE, 0, (off_t)PAGE_BYTES)));
	if (pread(fd, &word, sizeof(word), 0) < 0)
		fail("a map file cannot be read");
}

/* The file behind a mapping, opened anew: it can be read and no more */
void op_map_files(struct stream *s)
{
	struct map *m = map_pick(s);
	static const int modes[] = { O_RDWR, O_WRONLY, O_RDONLY | O_TRUNC,
				     O_RDONLY };
	int mode = modes[below(s, 4)];
	struct expect e = {};
	char path[96];
	long fd;

	if (!m || m->what != DATA)
		return;
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
		 (unsigned long)m->address,
		 (unsigned long)m->address + m->pages * PAGE_BYTES);
	/* An entry of the model need not be one mapping to the kernel */
	may(&e, ENOENT);
	if (mode != O_RDONLY) {
		must(&e, EPERM);
		must(&e, EACCES);
	}
	fd = TRY(s, "open a map file", "map %ld of region %ld, mode %#lx",
		 m - self.maps, m->region, mode, 0,
		 open(path, mode | O_CLOEXEC));
	if (!check(&e, fd))
		return;
	map_file_use(s, (int)fd);
	close((int)fd);
}

/* To write where nothing is pinned is allowed; it keeps nothing alive */
void op_stray(struct stream *s)
{
	struct region *r = pick_region(s, false);
	size_t page, head;

	if (!r || !view_of(r)->data)
		return;
	page = below(s, r->pages);
	region_lock(r, page, page);
	head = extent_of(r, page);
	journal_call("stray", "region %ld, page %ld", region_number(r),
		     (long)page, 0, 0);
	if (head != SIZE_MAX && pinned(r, head, NOBODY) != YES) {
		uint64_t *word = (uint64_t *)(view_of(r)->data +
					      page * PAGE_BYTES);

		if (view_of(r)->writable && once_in(s, 2)) {
			r->unknown[page] = true;
			*word = draw(s);
		} else {
			(void)__atomic_load_n(word, __ATOMIC_RELAXED);
		}
	}
	journal_return(0);
	region_unlock(r, page, page);
}
