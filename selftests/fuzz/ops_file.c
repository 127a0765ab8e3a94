// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors: copied, closed, sent, received, and used as what they are not. */
#include <poll.h>
#include <sys/sendfile.h>

#include "ops.h"

void op_dup(struct stream *s)
{
	struct player *p = pick_player(s, once_in(s, 4));
	struct expect e = {};
	long fd;

	if (!p || p->nfds == PLAYER_FDS)
		return;
	fd = TRY(s, "dup", "client %ld/%ld", p->region, p->client, 0, 0,
		 fcntl(player_fd(s, p), F_DUPFD_CLOEXEC, 0));
	if (check(&e, fd))
		p->fds[p->nfds++] = (int)fd;
}

/* The only descriptor by which a region can be used stays */
static bool may_close(const struct player *p)
{
	return !p->keep || p->nfds > 1;
}

/* Of a sole client, the first one is also the warden's */
static int index_to_close(struct stream *s, const struct player *p)
{
	return p->keep ? p->nfds - 1 : (int)below(s, (uint64_t)p->nfds);
}

void op_close(struct stream *s)
{
	struct player *p = pick_player(s, once_in(s, 4));

	if (!p || !may_close(p))
		return;
	journal_call("close", "client %ld/%ld, one of %ld, %ld mappings",
		     p->region, p->client, p->nfds, p->maps);
	player_close_one(p, index_to_close(s, p), NOBODY);
	journal_return(0);
}

/* One client's descriptor becomes another's: what it was is closed by that */
void op_dup_over(struct stream *s)
{
	struct player *from = pick_player(s, once_in(s, 4));
	struct player *to = pick_player(s, once_in(s, 4));
	int index, fd;

	if (!from || !to || from == to || from->nfds == PLAYER_FDS ||
	    !may_close(to))
		return;
	index = index_to_close(s, to);
	fd = to->fds[index];
	journal_call("dup over", "client %ld/%ld in the place of %ld/%ld",
		     from->region, from->client, to->region, to->client);
	player_close_one(to, index, player_fd(s, from));
	from->fds[from->nfds++] = fd;
	journal_return(0);
}

/* What goes with a descriptor, so that who gets it can tell whose it is */
struct ticket {
	int region;
	int client;
	uint64_t inode;
};

static long ticket_send(int channel, int fd, struct ticket *ticket)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { ticket, sizeof(*ticket) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(channel, &msg, MSG_DONTWAIT);
}

/* The descriptor is -1 if it did not come along */
static long ticket_receive(int channel, struct ticket *ticket, int *fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { ticket, sizeof(*ticket) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	long ret = recvmsg(channel, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*fd = -1;
	cmsg = ret > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	return ret;
}

static void foreign_add(const struct ticket *ticket, unsigned int n)
{
	struct region *r = &world->regions[ticket->region];

	if (r->used && r->inode == ticket->inode)
		__atomic_fetch_add(&r->clients[ticket->client].foreign, n,
				   __ATOMIC_SEQ_CST);
}

void op_send(struct stream *s)
{
	struct player *p = pick_player(s, once_in(s, 4));
	struct ticket ticket;
	struct expect e = {};

	if (!p)
		return;
	ticket = (struct ticket) {
		p->region, p->client, region_of(p)->inode,
	};
	may(&e, EAGAIN);
	may(&e, ENOBUFS);
	may(&e, ETOOMANYREFS);
	foreign_add(&ticket, 1);
	if (!check(&e, TRY(s, "send", "client %ld/%ld", p->region, p->client,
			   0, 0, ticket_send(self.sockets[0], player_fd(s, p),
					     &ticket))))
		foreign_add(&ticket, -1U);
}

/* Somebody else's descriptor is a ticket to attach by, and not to pin with */
static void ticket_use(struct stream *s, int fd, const struct ticket *ticket)
{
	struct region *r = &world->regions[ticket->region];
	bool alive = r->used && r->inode == ticket->inode;
	struct pashm_info info = region_info(fd);
	long client;

	if (info.inode != ticket->inode)
		fail("a descriptor of inode %llu was sent, of %llu received",
		     (unsigned long long)ticket->inode,
		     (unsigned long long)info.inode);
	if (alive && r->clients[ticket->client].owner != getpid()) {
		struct pashm_range range = {};
		struct pashm_pin pin = {
			.ranges = (uintptr_t)&range, .count = 1,
		};
		struct expect e = {};

		must(&e, EPERM);
		check(&e, call_command(s, fd, PIN, &pin, &e,
				       "client %ld/%ld, another's",
				       ticket->region, ticket->client, 0, 0));
	}
	client = region_attach(fd, 0);
	if (client >= 0)
		close((int)client);
	else if (!(info.region_flags & PASHM_CREATE_SOLE))
		fail("ATTACH by a ticket: %s", result_name(client));
}

/*
 * May it be kept and used like an inherited one? It outlives who has sent it.
 * Not by those who can be killed at any time: they could not say that it is gone.
 */
static bool ticket_keep(int fd, const struct ticket *ticket)
{
	struct region *r = &world->regions[ticket->region];

	if (!r->used || r->inode != ticket->inode ||
	    r->clients[ticket->client].owner == getpid() ||
	    self.journal >= PROCESSES_MAX ||
	    !player_receive(r, ticket->client, fd))
		return false;
	journal_call("keep", "client %ld/%ld, life %ld", ticket->region,
		     ticket->client, r->clients[ticket->client].life, 0);
	journal_return(0);
	return true;
}

/* If not kept, all in one operation: no child is made while it is here */
void op_receive(struct stream *s)
{
	struct ticket ticket;
	struct expect e = {};
	int fd;

	may(&e, EAGAIN);
	if (!check(&e, TRY(s, "receive", "", 0, 0, 0, 0,
			   ticket_receive(self.sockets[1], &ticket, &fd))))
		return;
	if (fd >= 0) {
		ticket_use(s, fd, &ticket);
		if (once_in(s, 2) && ticket_keep(fd, &ticket))
			return;
		close(fd);
	} else if (!faults_hit()) {
		fail("a message without its descriptor");
	}
	foreign_add(&ticket, -1U);
	clients_settle();
}

static long poll_one(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&p, 1, 0);
}

/* No file that bytes go through: nothing may be read, written, or cut */
void op_file_calls(struct stream *s)
{
	struct player *p = pick_player(s, once_in(s, 2));
	int fd = p ? player_fd(s, p) : self.device;
	char byte = 1;
	struct expect e = {};
	uint64_t which = below(s, 10);

#define REFUSED(expression)						\
	check(&e, TRY(s, "use as a file", #expression " of fd %ld", fd, 0, 0, 0, \
		      expression))
	must(&e, EINVAL);
	must(&e, ESPIPE);
	must(&e, ENODEV);
	must(&e, EBADF);
	must(&e, EOPNOTSUPP);
	must(&e, EPERM);
	switch (which) {
	case 0:
		REFUSED(read(fd, &byte, 1));
		break;
	case 1:
		REFUSED(write(fd, &byte, 1));
		break;
	case 2:
		REFUSED(pread(fd, &byte, 1, 0));
		break;
	case 3:
		REFUSED(pwrite(fd, &byte, 1, 0));
		break;
	case 4:
		REFUSED(ftruncate(fd, 0));
		break;
	case 5:
		REFUSED(fallocate(fd, 0, 0, 4096));
		break;
	case 6:
		REFUSED(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  0, 4096));
		break;
	case 7:
		REFUSED(sendfile(fd, fd, NULL, 4096));
		break;
	case 8:
		REFUSED(fsync(fd));
		break;
	default:
		TRY(s, "poll", "fd %ld", fd, 0, 0, 0, poll_one(fd));
		TRY(s, "lseek", "fd %ld", fd, 0, 0, 0, lseek(fd, 1, SEEK_SET));
	}
#undef REFUSED
}
