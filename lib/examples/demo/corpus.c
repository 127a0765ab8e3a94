// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "corpus.h"

#define INPUT_SIZE	65536

static int corpus_add(struct corpus *corpus, size_t *room, const char *line)
{
	struct corpus_file file = { 0 };
	struct corpus_file *files;

	if (corpus->count == *room) {
		*room = *room ? 2 * *room : 1024;
		files = reallocarray(corpus->files, *room, sizeof(*files));
		if (!files)
			return -ENOMEM;
		corpus->files = files;
	}
	if (sscanf(line, "%" SCNx32 " %zu %ms", &file.crc, &file.size,
		   &file.path) != 3 || !file.size) {
		free(file.path);
		return -EINVAL;
	}
	corpus->files[corpus->count++] = file;
	return 0;
}

static int corpus_read_index(struct corpus *corpus)
{
	size_t room = 0, length = 0;
	char *line = NULL;
	FILE *index;
	int fd, ret = 0;

	fd = openat(corpus->dir, "index", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	index = fdopen(fd, "r");
	if (!index) {
		close(fd);
		return -ENOMEM;
	}
	while (!ret && getline(&line, &length, index) > 0)
		ret = corpus_add(corpus, &room, line);
	free(line);
	fclose(index);
	return ret ? ret : corpus->count ? 0 : -EINVAL;
}

int corpus_open(const char *dir, struct corpus *corpus)
{
	int ret;

	*corpus = (struct corpus){ 0 };
	corpus->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (corpus->dir < 0)
		return -errno;
	ret = corpus_read_index(corpus);
	if (ret)
		corpus_close(corpus);
	return ret;
}

void corpus_close(struct corpus *corpus)
{
	for (size_t i = 0; i < corpus->count; i++)
		free(corpus->files[i].path);
	free(corpus->files);
	close(corpus->dir);
}

struct corpus_reader {
	int dir;
	z_stream stream;
	unsigned char input[INPUT_SIZE];
};

struct corpus_reader *corpus_reader_new(const struct corpus *corpus)
{
	struct corpus_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->dir = corpus->dir;
	/* 16: with gzip's header and trailer */
	if (inflateInit2(&reader->stream, 16 + MAX_WBITS) != Z_OK) {
		free(reader);
		return NULL;
	}
	return reader;
}

void corpus_reader_free(struct corpus_reader *reader)
{
	inflateEnd(&reader->stream);
	free(reader);
}

static int reader_inflate(struct corpus_reader *reader, int fd)
{
	z_stream *stream = &reader->stream;
	int result = Z_OK;
	ssize_t got;

	while (result == Z_OK) {
		got = read(fd, reader->input, sizeof(reader->input));
		if (got < 0)
			return -errno;
		stream->next_in = reader->input;
		stream->avail_in = (uInt)got;
		result = inflate(stream, Z_NO_FLUSH);
	}
	return result == Z_STREAM_END ? 0 : -EIO;
}

int corpus_read(struct corpus_reader *reader, const struct corpus_file *file,
		void *data)
{
	z_stream *stream = &reader->stream;
	int fd, ret;

	fd = openat(reader->dir, file->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	inflateReset(stream);
	stream->next_out = data;
	stream->avail_out = (uInt)file->size;
	ret = reader_inflate(reader, fd);
	if (!ret && stream->total_out != file->size)
		ret = -EIO;
	close(fd);
	return ret;
}
