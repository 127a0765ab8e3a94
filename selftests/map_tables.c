// SPDX-License-Identifier: GPL-2.0-only
/* The mappings beside the data: header, states, births, pins. */
#include <kselftest_harness.h>

#include "common.h"

/* So many that each table takes several pages and does not fill its last */
#define PAGES	1500

FIXTURE(table)
{
	int fd;
	size_t bytes;
};

FIXTURE_VARIANT(table)
{
	uint64_t offset;
	size_t word;			/* 0: one page, whatever the region */
	int prot;			/* the most that is allowed */
	bool inherited;
};

FIXTURE_VARIANT_ADD(table, header) {
	.offset = PASHM_OFFSET_HEADER, .prot = PROT_READ, .inherited = true,
};
FIXTURE_VARIANT_ADD(table, states) {
	.offset = PASHM_OFFSET_STATES, .word = 8,
	.prot = PROT_READ | PROT_WRITE, .inherited = true,
};
FIXTURE_VARIANT_ADD(table, births) {
	.offset = PASHM_OFFSET_BIRTHS, .word = 4,
	.prot = PROT_READ | PROT_WRITE, .inherited = true,
};
FIXTURE_VARIANT_ADD(table, pins) {
	.offset = PASHM_OFFSET_PINS, .word = 4,
	.prot = PROT_READ | PROT_WRITE, .inherited = false,
};

FIXTURE_SETUP(table)
{
	SKIP_WITHOUT_DEVICE();
	self->fd = region_create(PAGES, 0);
	ASSERT_LE(0, self->fd);
	self->bytes = variant->word ? PAGES * variant->word : 1;
	self->bytes = (self->bytes + PAGE - 1) / PAGE * PAGE;
}

FIXTURE_TEARDOWN(table)
{
	close(self->fd);
}

/* Maps all of the table with the most that is allowed */
static char *map_whole(struct __test_metadata *_metadata,
		       struct _test_data_table *self,
		       const struct _fixture_variant_table *variant)
{
	long address = map_at(self->fd, variant->offset, self->bytes,
			      variant->prot);

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	return (char *)address;
}

TEST_F(table, all_of_it_can_be_mapped_and_read)
{
	char *map = map_whole(_metadata, self, variant);
	size_t i;

	for (i = variant->word ? 0 : sizeof(struct pashm_header);
	     i < self->bytes; i++)
		ASSERT_EQ(0, map[i]);
}

TEST_F(table, its_last_page_can_be_mapped_alone)
{
	EXPECT_FALSE(MAP_FAILED_WITH(map_at(self->fd, variant->offset +
					    self->bytes - PAGE, PAGE,
					    variant->prot)));
}

TEST_F(table, one_page_more_is_einval)
{
	EXPECT_EQ(-EINVAL, map_at(self->fd, variant->offset,
				  self->bytes + PAGE, PROT_READ));
}

TEST_F(table, a_start_behind_it_is_einval)
{
	EXPECT_EQ(-EINVAL, map_at(self->fd, variant->offset + self->bytes,
				  PAGE, PROT_READ));
}

TEST_F(table, a_start_far_behind_it_is_einval)
{
	EXPECT_EQ(-EINVAL, map_at(self->fd,
				  variant->offset + 0x00ffffff0000ULL, PAGE,
				  PROT_READ));
}

TEST_F(table, a_private_mapping_is_einval)
{
	EXPECT_EQ(-EINVAL, CALL(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE,
				     self->fd, (off_t)variant->offset)));
}

TEST_F(table, an_executable_mapping_is_refused)
{
	EXPECT_EQ(exec_refusal(), map_at(self->fd, variant->offset, PAGE,
					 PROT_READ | PROT_EXEC));
}

TEST_F(table, it_cannot_be_made_executable_later)
{
	char *map = map_whole(_metadata, self, variant);

	EXPECT_EQ(-EACCES, CALL(mprotect(map, PAGE, PROT_READ | PROT_EXEC)));
}

TEST_F(table, writing_is_allowed_where_it_should_be)
{
	int rw = PROT_READ | PROT_WRITE;
	long address = map_at(self->fd, variant->offset, PAGE, rw);

	if (variant->prot == rw)
		EXPECT_FALSE(MAP_FAILED_WITH(address));
	if (variant->prot != rw)
		EXPECT_EQ(-EACCES, address);
}

TEST_F(table, a_readers_mapping_cannot_be_made_writable)
{
	int narrow = region_attach(self->fd, PROT_READ);
	int rw = PROT_READ | PROT_WRITE;
	long address = map_at(narrow, variant->offset, PAGE, PROT_READ);
	/* A reader's pin words are its own, and it must write them to pin */
	long wanted = variant->inherited ? -EACCES : 0;

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	EXPECT_EQ(wanted, CALL(mprotect((void *)address, PAGE, rw)));
}

TEST_F(table, a_read_only_mapping_cannot_be_written_through_proc)
{
	int narrow = region_attach(self->fd, PROT_READ);
	long address = map_at(narrow, variant->offset, PAGE, PROT_READ);
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	ASSERT_LE(0, mem);
	EXPECT_EQ(-EIO, CALL(pwrite(mem, "", 1, address)));
	close(mem);
}

TEST_F(table, it_can_be_moved)
{
	char *map = map_whole(_metadata, self, variant);
	char first = map[0];
	char *place = mmap(NULL, self->bytes, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(place, mremap(map, self->bytes, self->bytes,
				MREMAP_MAYMOVE | MREMAP_FIXED, place));
	EXPECT_EQ(first, place[0]);
}

TEST_F(table, it_cannot_be_expanded)
{
	long address = map_at(self->fd, variant->offset, PAGE, PROT_READ);

	EXPECT_EQ(-EFAULT, CALL(mremap((void *)address, PAGE, 2 * PAGE,
				       MREMAP_MAYMOVE)));
}

TEST_F(table, other_pages_cannot_be_remapped_in_with_more_rights)
{
	long address = map_at(self->fd, PASHM_OFFSET_STATES, PAGE,
			      PROT_READ | PROT_WRITE);
	long ret;

	ASSERT_FALSE(MAP_FAILED_WITH(address));
	ret = CALL(remap_file_pages((void *)address, PAGE, 0,
				    variant->offset / PAGE, 0));
	EXPECT_EQ(variant->prot & PROT_WRITE ? 0 : -EACCES, ret);
}

TEST_F(table, it_stays_when_the_descriptor_is_closed)
{
	char *map = map_whole(_metadata, self, variant);
	volatile char last;

	close(self->fd);
	last = map[self->bytes - 1];
	EXPECT_EQ(0, last);
	self->fd = -1;
}

static int read_first(void *arg)
{
	return *(volatile char *)arg * 0;
}

TEST_F(table, a_child_inherits_all_but_pin_words)
{
	char *map = map_whole(_metadata, self, variant);
	volatile char first = map[0];

	EXPECT_EQ(first, map[0]);
	EXPECT_EQ(variant->inherited ? 0 : 128 + SIGSEGV,
		  in_child(read_first, map));
}

TEST_F(table, two_mappings_show_the_same_words)
{
	char *one = map_whole(_metadata, self, variant);
	char *two = map_whole(_metadata, self, variant);

	if (!(variant->prot & PROT_WRITE))
		return;
	one[self->bytes - 1] = 0x5a;
	EXPECT_EQ(0x5a, two[self->bytes - 1]);
}

TEST_F(table, tables_exist_only_where_they_were_touched)
{
	char *map = map_whole(_metadata, self, variant);

	ASSERT_EQ(0, region_info(self->fd).tables);
	*(volatile char *)(map + self->bytes - 1);
	EXPECT_EQ(variant->word ? PAGE : 0, region_info(self->fd).tables);
}

FIXTURE(words)
{
	int fd;
};

FIXTURE_SETUP(words)
{
	SKIP_WITHOUT_DEVICE();
	self->fd = region_create(PAGES, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(words)
{
	close(self->fd);
}

TEST_F(words, the_header_describes_the_region)
{
	const struct pashm_header *header;

	header = (void *)map_at(self->fd, PASHM_OFFSET_HEADER, PAGE, PROT_READ);
	ASSERT_FALSE(MAP_FAILED_WITH((long)header));
	EXPECT_EQ(PASHM_HEADER_MAGIC, header->magic);
	EXPECT_EQ(PASHM_PROTOCOL_VERSION, header->version);
	EXPECT_EQ(PAGE, 1UL << header->page_shift);
	EXPECT_EQ(0, header->flags);
	EXPECT_EQ(PAGES, header->pages);
	EXPECT_EQ(1, header->clients);
	EXPECT_EQ(0, header->purged);
	EXPECT_EQ(0, header->purges);
}

TEST_F(words, each_client_has_pin_words_of_its_own)
{
	int other = region_attach(self->fd, 0);
	int rw = PROT_READ | PROT_WRITE;
	uint32_t *mine = (void *)map_at(self->fd, PASHM_OFFSET_PINS, PAGE, rw);
	uint32_t *theirs = (void *)map_at(other, PASHM_OFFSET_PINS, PAGE, rw);

	mine[7] = PASHM_PIN_COUNT_ONE;
	EXPECT_EQ(0, theirs[7]);
}

TEST_F(words, the_last_offset_of_all_is_einval)
{
	EXPECT_EQ(-EINVAL, map_at(self->fd, 0x7ffffffffffff000ULL, PAGE,
				  PROT_READ));
}

TEST_HARNESS_MAIN
