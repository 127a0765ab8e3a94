// SPDX-License-Identifier: LGPL-2.1-or-later
#include <math.h>
#include <stdlib.h>
#include "zipf.h"

/* below[r]: the probability of a rank up to r */
struct zipf {
	size_t count;
	double below[];
};

struct zipf *zipf_new(size_t count, double exponent)
{
	struct zipf *zipf = malloc(sizeof(*zipf) + count * sizeof(double));
	double sum = 0;

	if (!zipf)
		return NULL;
	zipf->count = count;
	for (size_t i = 0; i < count; i++) {
		sum += pow((double)(i + 1), -exponent);
		zipf->below[i] = sum;
	}
	for (size_t i = 0; i < count; i++)
		zipf->below[i] /= sum;
	return zipf;
}

void zipf_free(struct zipf *zipf)
{
	free(zipf);
}

size_t zipf_rank(const struct zipf *zipf, uint64_t *random)
{
	/* 53 bits are what a double holds exactly */
	double u = (double)(random_next(random) >> 11) * 0x1p-53;
	size_t low = 0, high = zipf->count - 1;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (zipf->below[middle] < u)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
