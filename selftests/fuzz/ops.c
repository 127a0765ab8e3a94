// SPDX-License-Identifier: GPL-2.0-only
/* The table of operations, by how often each is wanted. */
#include "ops.h"

const struct operation operations[] = {
	{ "pin", 120, op_pin },
	{ "unpin", 110, op_unpin },
	{ "pin by table", 60, op_pin_by_table },
	{ "unpin by table", 60, op_unpin_by_table },
	{ "hammer", 20, op_hammer },
	{ "threads", 3, op_threads },
	{ "wait", 20, op_wait },
	{ "count", 12, op_count },
	{ "refill", 40, op_refill },
	{ "make", 90, op_make },
	{ "free", 50, op_free },
	{ "reshape badly", 12, op_reshape_badly },
	{ "reshape alone", 20, op_reshape_alone },
	{ "query", 4, op_query },
	{ "create", 12, op_create },
	{ "create badly", 10, op_create_badly },
	{ "attach", 26, op_attach },
	{ "protect", 6, op_protect },
	{ "retire", 3, op_retire },
	{ "crowd", 1, op_crowd },
	{ "info", 12, op_info },
	{ "purge", 30, op_purge },
	{ "purge storm", 8, op_purge_storm },
	{ "audit", 20, op_audit },
	{ "fdinfo", 4, op_fdinfo },
	{ "proc files", 4, op_proc_files },
	{ "unknown ioctl", 6, op_unknown_ioctl },
	{ "mmap", 30, op_mmap },
	{ "mmap over", 8, op_mmap_over },
	{ "munmap", 18, op_munmap },
	{ "mprotect", 20, op_mprotect },
	{ "mremap", 12, op_mremap },
	{ "madvise", 20, op_madvise },
	{ "msync", 3, op_msync },
	{ "mlock", 5, op_mlock },
	{ "read map", 30, op_read_map },
	{ "write map", 20, op_write_map },
	{ "force write", 5, op_force_write },
	{ "map files", 5, op_map_files },
	{ "stray", 15, op_stray },
	{ "dup", 10, op_dup },
	{ "dup over", 5, op_dup_over },
	{ "close", 22, op_close },
	{ "send", 8, op_send },
	{ "receive", 9, op_receive },
	{ "file calls", 8, op_file_calls },
	{ "forge", 40, op_forge },
	{ "call hostile", 60, op_call_hostile },
	{ "fork", 6, op_fork },
	{ "reap", 6, op_reap },
	{ "drop caches", 6, op_drop_caches },
	{ "reclaim", 10, op_reclaim },
	{ "limit", 4, op_limit },
	{ "move", 4, op_move },
	{}
};

const struct operation *operation_draw(struct stream *s)
{
	const struct operation *o = operations;
	unsigned int all = 0;
	uint64_t chosen;

	for (; o->name; o++)
		all += o->weight;
	chosen = below(s, all);
	for (o = operations; chosen >= o->weight; o++)
		chosen -= o->weight;
	return o;
}

void operation_run(uint64_t number)
{
	struct stream s = {
		mix3(self.seed, (uint64_t)self.process, number),
	};
	const struct operation *o = operation_draw(&s);

	if (__atomic_load_n(&world->failed, __ATOMIC_SEQ_CST))
		_exit(3);
	journal_operation(o->name);
	o->run(&s);
}
