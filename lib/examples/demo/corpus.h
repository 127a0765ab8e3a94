/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files that the cache is for: compressed on disk, with known checksums. */
#ifndef DEMO_CORPUS_H
#define DEMO_CORPUS_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct corpus_file - a file
 * @path: below the corpus' directory; the key
 * @size: bytes when decompressed
 * @crc:  CRC32 of these, from the trailer that gzip wrote
 */
struct corpus_file {
	char *path;
	size_t size;
	uint32_t crc;
};

struct corpus {
	int dir;
	size_t count;
	struct corpus_file *files;
};

/* Reads DIR/index. Returns 0 or a negative errno, -EINVAL for a bad line. */
int corpus_open(const char *dir, struct corpus *corpus);
void corpus_close(struct corpus *corpus);

/* What one thread needs to read files with */
struct corpus_reader;

struct corpus_reader *corpus_reader_new(const struct corpus *corpus);
void corpus_reader_free(struct corpus_reader *reader);

/*
 * Decompress @file into @data, of @file->size bytes. Returns 0 or a negative
 * errno, -EIO if the file is not what the index says.
 */
int corpus_read(struct corpus_reader *reader, const struct corpus_file *file,
		void *data);

#endif /* DEMO_CORPUS_H */
