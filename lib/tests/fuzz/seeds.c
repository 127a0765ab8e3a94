// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Writes inputs for the fuzz targets to begin with: seeds DIR makes DIR/NOUN/
 * for each tests/fuzz/fuzz_NOUN.c. Sequences of calls are random ones, always
 * the same; texts are what a kernel says.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SEQUENCES	48
#define LONGEST		1024

static void die(const char *path)
{
	perror(path);
	exit(1);
}

static void directory(const char *path)
{
	if (mkdir(path, 0777) && errno != EEXIST)
		die(path);
}

static void seed(const char *root, const char *target, unsigned int number,
		 const void *data, size_t length)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root, target);
	directory(path);
	snprintf(path, sizeof(path), "%s/%s/seed-%02u", root, target, number);
	file = fopen(path, "wb");
	if (!file || fwrite(data, 1, length, file) != length || fclose(file))
		die(path);
}

/* xorshift */
static uint8_t random8(void)
{
	static uint32_t state = 0x9e3779b9;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return (uint8_t)(state >> 24);
}

static void sequences(const char *root, const char *target)
{
	uint8_t bytes[LONGEST];
	unsigned int i, number;

	for (number = 0; number < SEQUENCES; number++) {
		for (i = 0; i < LONGEST; i++)
			bytes[i] = random8();
		seed(root, target, number, bytes,
		     32 + number * (LONGEST - 32) / SEQUENCES);
	}
}

/* Zeros are sound: of each size, and each with one byte that is not */
static void imports(const char *root)
{
	uint8_t bytes[160] = { 0 };
	uint8_t i;

	for (i = 0; i < 6; i++) {
		bytes[3] = i;
		seed(root, "import", i, bytes, sizeof(bytes));
	}
	for (i = 0; i < 32; i++) {
		memset(bytes, 0, sizeof(bytes));
		bytes[i] = 0xff;
		seed(root, "import", 6 + i, bytes, sizeof(bytes));
	}
}

/* The order of fuzz_pressure.c */
#define TEN(text) text text text text text text text text text text

static const char *const machines[][8] = {
	{ "MemTotal:  16316412 kB\nMemFree: 1 kB\nMemAvailable:   8316412 kB\n",
	  "0::/user.slice/a.scope\n", "max\n", "max\n", "104857600\n",
	  "anon 1\nfile 2\ninactive_file 4096\nactive_file 8192\n",
	  "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
	  "c29tZSAyMDAwMDAgMjAwMDAwMAA=" },
	{ "MemTotal:  524288 kB\nMemAvailable:   10240 kB\n",
	  "4:memory:/docker/x\n3:cpuset:/y\n0::/\n", "104857600\n",
	  "209715200\n", "94371840\n",
	  "cache 1\ninactive_file 0\nactive_file 0\n"
	  "total_inactive_file 10485760\ntotal_active_file 0\n",
	  "some\n", "" },
	{ "MemTotal:  9223372036854775807 kB\nMemAvailable: 0 kB\n",
	  "0::/../../elsewhere\n", "9223372036854771712\n", "0\n", "-1\n",
	  "x\ninactive_file 9223372036854775807\n"
	  "active_file 9223372036854775807\n", "", "Zm9v" },
	{ "MemTotal:  16316412 kB\nMemAvailable:   8316412 kB\n",
	  "0::/" TEN("a/very/long/path/to/here/that/goes/on/and/on/and/on/")
	  "end\n", "max\n", "max\n", "104857600\n", "anon 1\n", "", "" },
	{ "MemTotal:  1 kB\n", "0::/\n", "", "", "", "", "some\n",
	  TEN("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh") },
	{ "MemTotal:  1 kB\nMemAvailable: 9223372036854775807 kB\n",
	  "0::/a/b/c//d/\n", "1\n", "max\n", "9223372036854775807\n", "",
	  "", "!" },
};

static void pressures(const char *root)
{
	char bytes[LONGEST];
	unsigned int i, text, watch;
	size_t length;

	for (i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		for (watch = 0; watch < 8; watch++) {
			for (length = 0; length < 80; length++)
				bytes[length] = (char)random8();
			bytes[length++] = (char)(watch * 9);
			bytes[length++] = (char)random8();
			for (text = 0; text < 8; text++)
				length += (size_t)snprintf(
					bytes + length, LONGEST - length,
					"%s\xff", machines[i][text]);
			seed(root, "pressure", i * 8 + watch, bytes, length);
		}
	}
}

static void texts(const char *root)
{
	static const char *const lines[] = {
		"pashm-inode:\t12\npashm-length:\t4096\npashm-name:\ta\\040b\n"
		"pashm-clients:\t3\npashm-epoch:\t4294967295\n",
		"7f00-7f01 rw-s 00002000 00:01 77 /memfd:pashm:x (deleted)\n"
		"7f02-7f03 rw-s 00000000 00:05 78 /dev/pashm/name\n"
		"7f04-7f05 rw-s 00000000 00:0e 13 anon_inode:[pashm]\n"
		"55a0-55a1 r-xp 00000000 08:01 99 /usr/bin/true\n",
		"6,1,2,-;pashm: loaded \x1b[2J\n SUBSYSTEM=x\n",
		"123/45", "1", "4294967296/1", "1/-1", "a\\101\\b\\777",
		"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc2\x9b\xed\xa0\x80\xff",
		"1 (a b) c) S 1 2 3 4 5 2097152 7\n",
	};
	unsigned int i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		seed(root, "cli", i, lines[i], strlen(lines[i]));
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: seeds DIR\n", stderr);
		return 2;
	}
	directory(argv[1]);
	sequences(argv[1], "hostile");
	sequences(argv[1], "pool");
	sequences(argv[1], "pool_hostile");
	sequences(argv[1], "slab");
	sequences(argv[1], "cache");
	imports(argv[1]);
	pressures(argv[1]);
	texts(argv[1]);
	return 0;
}
