// SPDX-License-Identifier: GPL-2.0-only
/* Mappings of the data: bounds, rights, life time, what purges do to them. */
#include <sys/syscall.h>
#include <linux/userfaultfd.h>

#include <kselftest_harness.h>

#include "common.h"

#define PAGES	16
#define RW	(PROT_READ | PROT_WRITE)
#define BYTES	(PAGES * PAGE)

FIXTURE(data)
{
	int fd;
	int narrow;			/* may read only */
};

FIXTURE_SETUP(data)
{
	SKIP_WITHOUT_DEVICE();
	self->fd = region_create(PAGES, 0);
	ASSERT_LE(0, self->fd);
	self->narrow = region_attach(self->fd, PROT_READ);
	ASSERT_LE(0, self->narrow);
}

FIXTURE_TEARDOWN(data)
{
	close(self->narrow);
	close(self->fd);
}

static char *map_data(struct __test_metadata *_metadata, int fd, int prot)
{
	long address = map_at(fd, PASHM_OFFSET_DATA, BYTES, prot);

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	return (char *)address;
}

/* All of the region is one extent, filled and unpinned */
static char *fill_unpinned(struct __test_metadata *_metadata, int fd)
{
	char *map = map_data(_metadata, fd, RW);

	memset(map, 0x5a, BYTES);
	ASSERT_EQ(0, region_reshape(fd, 0, PAGES, 0));
	ASSERT_EQ(0, region_unpin(fd, 0));
	return map;
}

TEST_F(data, all_of_it_can_be_mapped)
{
	char *map = map_data(_metadata, self->fd, RW);

	map[0] = 1;
	map[BYTES - 1] = 1;
	EXPECT_EQ(2 * PAGE, region_info(self->fd).resident);
}

TEST_F(data, one_page_more_is_einval)
{
	EXPECT_EQ(-EINVAL, map_at(self->fd, 0, BYTES + PAGE, RW));
}

TEST_F(data, a_start_at_its_end_is_einval)
{
	EXPECT_EQ(-EINVAL, map_at(self->fd, BYTES, PAGE, RW));
}

TEST_F(data, a_page_that_reaches_over_its_end_is_einval)
{
	EXPECT_EQ(-EINVAL, map_at(self->fd, BYTES - PAGE, 2 * PAGE, RW));
}

TEST_F(data, the_page_before_the_header_is_einval)
{
	EXPECT_EQ(-EINVAL, map_at(self->fd, PASHM_OFFSET_HEADER - PAGE,
				  PAGE, PROT_READ));
}

TEST_F(data, a_reader_cannot_map_for_writing)
{
	EXPECT_EQ(-EACCES, map_at(self->narrow, 0, BYTES, RW));
}

TEST_F(data, a_reader_cannot_make_its_mapping_writable)
{
	char *map = map_data(_metadata, self->narrow, PROT_READ);

	EXPECT_EQ(-EACCES, CALL(mprotect(map, BYTES, RW)));
}

TEST_F(data, a_reader_cannot_move_its_mapping_to_be_writable)
{
	char *map = map_data(_metadata, self->narrow, PROT_READ);
	char *place = mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(place, mremap(map, BYTES, BYTES,
				MREMAP_MAYMOVE | MREMAP_FIXED, place));
	EXPECT_EQ(-EACCES, CALL(mprotect(place, BYTES, RW)));
}

TEST_F(data, a_reader_cannot_write_through_proc)
{
	char *map = map_data(_metadata, self->narrow, PROT_READ);
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, mem);
	EXPECT_EQ(-EIO, CALL(pwrite(mem, "x", 1, (off_t)(uintptr_t)map)));
	EXPECT_EQ(0, map[0]);
	close(mem);
}

TEST_F(data, pages_cannot_be_remapped)
{
	char *map = map_data(_metadata, self->fd, RW);

	EXPECT_EQ(-EPERM, CALL(remap_file_pages(map, PAGE, 0, 1, 0)));
}

TEST_F(data, a_reader_gains_nothing_by_map_files)
{
	char *map = map_data(_metadata, self->narrow, PROT_READ);
	char path[80];
	long address;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
		 (unsigned long)map, (unsigned long)map + BYTES);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	address = map_at(fd, 0, PAGE, RW);
	EXPECT_TRUE(MAP_FAILED_WITH(address));
	EXPECT_GE(0, CALL(pwrite(fd, "x", 1, 0)));
	EXPECT_GE(0, CALL(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				    FALLOC_FL_KEEP_SIZE, 0, PAGE)));
	EXPECT_NE(0, ftruncate(fd, 0));
	close(fd);
}

TEST_F(data, the_mask_of_a_region_forbids_execution)
{
	char *map;

	ASSERT_EQ(0, region_protect(self->fd, RW, PASHM_PROT_REGION));
	EXPECT_EQ(exec_refusal(), map_at(self->fd, 0, BYTES,
					 PROT_READ | PROT_EXEC));
	map = map_data(_metadata, self->fd, RW);
	EXPECT_EQ(-EACCES, CALL(mprotect(map, PAGE, PROT_READ | PROT_EXEC)));
}

/* It would put pages in behind the back of the module, which must list them */
TEST_F(data, userfaultfd_does_not_take_it)
{
	char *map = map_data(_metadata, self->fd, RW);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)map, .len = BYTES },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	char *other = mmap(NULL, BYTES, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(errno));
	ASSERT_EQ(0, CALL(ioctl(fd, UFFDIO_API, &api)));
	EXPECT_EQ(-EINVAL, CALL(ioctl(fd, UFFDIO_REGISTER, &range)));
	range.range.start = (uintptr_t)other;
	EXPECT_EQ(0, CALL(ioctl(fd, UFFDIO_REGISTER, &range)));
	close(fd);
}

TEST_F(data, without_a_mask_it_may_be_executed_up_to_6_12)
{
	long address = map_at(self->fd, 0, BYTES, PROT_READ | PROT_EXEC);
	char *map = map_data(_metadata, self->fd, RW);
	long changed = CALL(mprotect(map, PAGE, PROT_READ | PROT_EXEC));

	if (kernel_is_before(7, 2)) {
		EXPECT_FALSE(MAP_FAILED_WITH(address));
		EXPECT_EQ(0, changed);
	} else {
		EXPECT_EQ(-EPERM, address);
		EXPECT_EQ(-EACCES, changed);
	}
}

TEST_F(data, the_mask_of_a_region_binds_all_later_mappings)
{
	char *before = map_data(_metadata, self->fd, RW);
	char *after;

	ASSERT_EQ(0, region_protect(self->fd, PROT_READ, PASHM_PROT_REGION));
	EXPECT_EQ(-EACCES, map_at(self->fd, 0, BYTES, RW));
	after = map_data(_metadata, self->fd, PROT_READ);
	EXPECT_EQ(-EACCES, CALL(mprotect(after, PAGE, RW)));
	before[0] = 1;
	EXPECT_EQ(1, after[0]);
}

TEST_F(data, the_mask_of_a_descriptor_leaves_others_alone)
{
	int other = region_attach(self->fd, 0);

	ASSERT_EQ(0, region_protect(other, PROT_READ, 0));
	EXPECT_EQ(-EACCES, map_at(other, 0, BYTES, RW));
	map_data(_metadata, self->fd, RW)[0] = 1;
}

TEST_F(data, it_can_be_moved_and_shrunk)
{
	char *map = map_data(_metadata, self->fd, RW);
	char *place = mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	map[PAGE] = 7;
	ASSERT_EQ(place, mremap(map, BYTES, 2 * PAGE,
				MREMAP_MAYMOVE | MREMAP_FIXED, place));
	EXPECT_EQ(7, place[PAGE]);
	place[0] = 8;
	EXPECT_EQ(8, map_data(_metadata, self->fd, RW)[0]);
}

TEST_F(data, it_cannot_be_expanded)
{
	long address = map_at(self->fd, 0, PAGE, RW);

	EXPECT_EQ(-EFAULT, CALL(mremap((void *)address, PAGE, 2 * PAGE,
				       MREMAP_MAYMOVE)));
}

TEST_F(data, a_private_mapping_is_a_copy_on_write)
{
	char *shared = map_data(_metadata, self->fd, RW);
	char *private = mmap(NULL, BYTES, RW, MAP_PRIVATE, self->fd, 0);

	ASSERT_NE(MAP_FAILED, private);
	shared[0] = 1;
	EXPECT_EQ(1, private[0]);
	private[0] = 2;
	EXPECT_EQ(1, shared[0]);
}

TEST_F(data, a_private_copy_survives_a_purge)
{
	char *shared = fill_unpinned(_metadata, self->fd);
	char *private = mmap(NULL, BYTES, RW, MAP_PRIVATE, self->fd, 0);

	ASSERT_NE(MAP_FAILED, private);
	private[0] = 2;
	ASSERT_EQ(0x5a, private[PAGE]);
	ASSERT_EQ(BYTES, region_purge(self->fd));
	EXPECT_EQ(2, private[0]);
	EXPECT_EQ(0x5a, private[1]);
	EXPECT_EQ(0, private[PAGE]);
	EXPECT_EQ(0, shared[0]);
}

TEST_F(data, every_mapping_sees_zeros_after_a_purge)
{
	char *one = fill_unpinned(_metadata, self->fd);
	char *two = map_data(_metadata, self->narrow, PROT_READ);

	ASSERT_EQ(0x5a, two[BYTES - 1]);
	ASSERT_EQ(BYTES, region_purge(self->fd));
	EXPECT_EQ(0, one[0]);
	EXPECT_EQ(0, two[BYTES - 1]);
}

static int read_zero(void *arg)
{
	return *(volatile char *)arg;
}

TEST_F(data, a_child_shares_the_mapping)
{
	char *map = fill_unpinned(_metadata, self->fd);

	EXPECT_EQ(0x5a, in_child(read_zero, map));
	ASSERT_EQ(BYTES, region_purge(self->fd));
	EXPECT_EQ(0, in_child(read_zero, map));
}

TEST_F(data, advice_to_use_huge_pages_is_harmless)
{
	char *map = map_data(_metadata, self->fd, RW);

	CALL(madvise(map, BYTES, MADV_HUGEPAGE));
	fill_unpinned(_metadata, self->fd);
	EXPECT_EQ(BYTES, region_purge(self->fd));
	EXPECT_EQ(0, map[BYTES - 1]);
}

TEST_F(data, locked_memory_is_purged_all_the_same)
{
	char *map = fill_unpinned(_metadata, self->fd);

	if (mlock(map, BYTES))
		SKIP(return, "may not lock so much memory");
	EXPECT_EQ(BYTES, region_purge(self->fd));
	EXPECT_EQ(0, map[0]);
}

TEST_F(data, contents_survive_the_descriptors)
{
	char *map = map_data(_metadata, self->fd, RW);

	memset(map, 0x5a, BYTES);
	close(self->fd);
	close(self->narrow);
	EXPECT_EQ(0x5a, map[0]);
	EXPECT_EQ(0x5a, map[BYTES - 1]);
}

TEST_F(data, a_mapping_without_descriptors_stays_purgeable)
{
	char *map = fill_unpinned(_metadata, self->fd);
	int tries;

	if (geteuid())
		SKIP(return, "only root can ask for reclaim");
	close(self->fd);
	close(self->narrow);
	for (tries = 0; tries < 20 && map[0]; tries++)
		ASSERT_EQ(0, file_write("/proc/sys/vm/drop_caches", "2"));
	EXPECT_EQ(0, map[0]);
	EXPECT_EQ(0, map[BYTES - 1]);
}

TEST_F(data, the_name_is_shown_in_maps)
{
	static char buf[1 << 16];

	map_data(_metadata, self->fd, RW);
	file_contents("/proc/self/maps", buf, sizeof(buf));
	EXPECT_NE(NULL, strstr(buf, "/dev/pashm/selftest"));
}

TEST_F(data, fdinfo_shows_the_figures)
{
	static const char *const keys[] = {
		"inode", "length", "resident", "swapped", "unpinned",
		"extents", "pinned-extents", "purged", "purges", "tables",
		"clients", "violations", "epoch",
	};
	struct pashm_info info;
	char path[64], key[64], buf[4096];
	size_t i;

	fill_unpinned(_metadata, self->fd);
	info = region_info(self->fd);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	EXPECT_NE(NULL, strstr(file_contents(path, buf, sizeof(buf)),
			       "pashm-name:\tselftest\n"));
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		snprintf(key, sizeof(key), "pashm-%s", keys[i]);
		EXPECT_NE(-1, file_number(path, key)) TH_LOG("%s", key);
	}
	EXPECT_EQ(BYTES, file_number(path, "pashm-length"));
	EXPECT_EQ(BYTES, file_number(path, "pashm-resident"));
	EXPECT_EQ(BYTES, file_number(path, "pashm-unpinned"));
	EXPECT_EQ(1, file_number(path, "pashm-extents"));
	EXPECT_EQ(2, file_number(path, "pashm-clients"));
	EXPECT_EQ(info.inode, file_number(path, "pashm-inode"));
	EXPECT_EQ(info.tables, file_number(path, "pashm-tables"));
}

TEST_HARNESS_MAIN
