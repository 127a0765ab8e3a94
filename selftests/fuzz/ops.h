/* SPDX-License-Identifier: GPL-2.0-only */
/* The operations: each draws its arguments, calls, and checks. */
#ifndef FUZZ_OPS_H
#define FUZZ_OPS_H

#include "player.h"

struct operation {
	const char *name;
	unsigned int weight;
	void (*run)(struct stream *s);
};

extern const struct operation operations[];

const struct operation *operation_draw(struct stream *s);
void operation_run(uint64_t number);

/* ops_batch.c */
void op_pin(struct stream *s);
void op_unpin(struct stream *s);

/* ops_pin.c */
void op_pin_by_table(struct stream *s);
void op_unpin_by_table(struct stream *s);
void op_hammer(struct stream *s);
void op_wait(struct stream *s);
void op_count(struct stream *s);
void op_refill(struct stream *s);

/* ops_threads.c */
void op_threads(struct stream *s);

/* ops_shape.c */
void op_make(struct stream *s);
void op_free(struct stream *s);
void op_reshape_badly(struct stream *s);
void op_reshape_alone(struct stream *s);

/* ops_region.c */
void op_query(struct stream *s);
void op_create(struct stream *s);
void op_create_badly(struct stream *s);
void op_attach(struct stream *s);
void op_protect(struct stream *s);
void op_retire(struct stream *s);
void op_crowd(struct stream *s);

/* ops_look.c */
void op_info(struct stream *s);
void op_purge(struct stream *s);
void op_purge_storm(struct stream *s);
void op_audit(struct stream *s);
void op_fdinfo(struct stream *s);
void op_proc_files(struct stream *s);
void op_unknown_ioctl(struct stream *s);

/* ops_map.c */
void op_mmap(struct stream *s);
void op_mmap_over(struct stream *s);
void op_munmap(struct stream *s);
void op_mprotect(struct stream *s);
void op_mremap(struct stream *s);

/* ops_advice.c */
void op_madvise(struct stream *s);
void op_msync(struct stream *s);
void op_mlock(struct stream *s);

/* ops_access.c */
void access_open(void);
void pins_after_fork(void);
void op_read_map(struct stream *s);
void op_write_map(struct stream *s);
void op_force_write(struct stream *s);
void op_map_files(struct stream *s);
void op_stray(struct stream *s);

/* ops_file.c */
void op_dup(struct stream *s);
void op_dup_over(struct stream *s);
void op_close(struct stream *s);
void op_send(struct stream *s);
void op_receive(struct stream *s);
void op_file_calls(struct stream *s);

/* ops_forge.c */
void op_forge(struct stream *s);
void op_call_hostile(struct stream *s);

/* ops_process.c */
void op_fork(struct stream *s);
void op_reap(struct stream *s);
void asyncs_end(void);

/* ops_pressure.c */
void pressure_open(void);
void pressure_close(void);
void op_drop_caches(struct stream *s);
void op_reclaim(struct stream *s);
void op_limit(struct stream *s);
void op_move(struct stream *s);

#endif /* FUZZ_OPS_H */
