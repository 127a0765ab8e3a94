// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has the bug that its parameter names, when it is loaded, and none without it:
 * whoever watches for such bugs must find it. Never load it into a kernel that
 * is to be used afterwards. ../../scenarios/canary.sh does in guests.
 */
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#define SIZE	100

static char *bug = "";
module_param(bug, charp, 0);
MODULE_PARM_DESC(bug, "the bug to have, none by default");

/* Returns memory of which the compiler does not know where it comes from */
static char *allocate(void)
{
	char *object = kmalloc(SIZE, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(object);
	return object;
}

static void read_beyond(void)
{
	char *object = allocate();

	if (object)
		READ_ONCE(object[SIZE]);
	kfree(object);
}

static void read_freed(void)
{
	char *object = allocate(), *stale = object;

	OPTIMIZER_HIDE_VAR(stale);
	kfree(object);
	if (stale)
		READ_ONCE(stale[0]);
}

/* Many, as a stale pointer to one of them may lie about somewhere */
static void leak(void)
{
	int i;

	for (i = 0; i < 16; i++)
		allocate();
}

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static void lock_in_two_orders(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static DEFINE_SPINLOCK(spinlock);

static void allocate_under_spinlock(void)
{
	spin_lock(&spinlock);
	kfree(allocate());
	spin_unlock(&spinlock);
}

static int number = 40;

static void shift_too_far(void)
{
	WRITE_ONCE(number, 1 << READ_ONCE(number));
}

static void delete_twice(void)
{
	struct list_head entry;
	LIST_HEAD(list);

	list_add(&entry, &list);
	list_del(&entry);
	list_del(&entry);
}

static void warn(void)
{
	WARN(1, "a warning of the canary\n");
}

static void hang(void)
{
	schedule_timeout_uninterruptible(20 * HZ);
}

/* As after a module was unloaded by force: lockdep is off, and says no "BUG" */
static void distrust_locks(void)
{
	add_taint(TAINT_FORCED_RMMOD, LOCKDEP_NOW_UNRELIABLE);
}

static int increment(void *unused)
{
	while (!kthread_should_stop()) {
		number++;
		cond_resched();
	}
	return 0;
}

static void race(void)
{
	struct task_struct *other = kthread_run(increment, NULL, "canary");
	unsigned long end = jiffies + 3 * HZ;

	if (IS_ERR(other))
		return;
	while (time_before(jiffies, end)) {
		number++;
		cond_resched();
	}
	kthread_stop(other);
}

static const struct {
	const char *name;
	void (*have)(void);
} bugs[] = {
	{ "overflow", read_beyond },
	{ "freed", read_freed },
	{ "leak", leak },
	{ "order", lock_in_two_orders },
	{ "sleep", allocate_under_spinlock },
	{ "shift", shift_too_far },
	{ "list", delete_twice },
	{ "warning", warn },
	{ "hang", hang },
	{ "race", race },
	{ "distrust", distrust_locks },
};

static int __init canary_init(void)
{
	size_t i;

	if (!*bug)
		return 0;
	for (i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (!strcmp(bug, bugs[i].name)) {
			bugs[i].have();
			return 0;
		}
	}
	return -EINVAL;
}
module_init(canary_init);

static void __exit canary_exit(void)
{
}
module_exit(canary_exit);

MODULE_DESCRIPTION("A module with bugs to be found");
MODULE_LICENSE("GPL");
