// SPDX-License-Identifier: GPL-2.0-only
#include "policy.h"

size_t policy_hits(const struct policy *policy, const struct trace *trace,
		   uint32_t capacity)
{
	void *cache = policy->create(policy, trace, capacity);
	size_t hits = 0, at;

	for (at = 0; at < trace->length; at++)
		hits += policy->use(cache, at);
	policy->destroy(cache);
	return hits;
}
