/*
 * capture.h - the parts of cf-capture.
 *
 *	frames.c  a channel of frames ---+
 *	                                 +--> capture.c --> out.c   files of whole blocks
 *	live.c    an interface of a     -+    filter, cut,
 *	          namespace, by libpcap       rotate
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_CAPTURE_H
#define CF_CAPTURE_H

#include <sys/types.h>

#include "chan.h"
#include "filter.h"
#include "pcapng.h"
#include "sandbox.h"

#define OUT_BUFFER	(256 * 1024)
#define FILES_MAX	256		/* of a capture that rotates */
#define OUT_FD		256		/* they are OUT_FD to OUT_FD + 255: the sandbox can tell them by a mask */
#define OUT_FD_MASK	0xffffff00u
#define INTERFACES_MAX	64
#define PROCESS_SLOTS	1024
#define STATUS_LOST	3		/* exit status: the record is not complete */

/*
 * A file that grows by whole blocks.  They are gathered and written together; a write
 * that does not succeed leaves the file cut after its last whole block, and nothing is
 * written ever after.
 */
struct out {
	int		 fd;
	off_t		 end;		/* of what is written; -1: not a file that can be cut */
	uint64_t	 total;		/* bytes since out_init() or out_next() */
	uint8_t		*buf;
	size_t		 len;
	int		 err;		/* errno of the write that failed; 0: none did */
};

/* fd is taken over.  False and errno when memory is out. */
bool		 out_init(struct out *, int fd);
/* Room for a block of at most `most` bytes; give it back filled with out_block(). */
struct wr	 out_room(struct out *, size_t most);
void		 out_block(struct out *, const struct wr *);
bool		 out_flush(struct out *);	/* false: failed, now or earlier */
/* Go on at the start of another file, which is emptied; what is open stays so.  As out_flush(). */
bool		 out_next(struct out *, int fd);
bool		 out_done(struct out *);	/* flush and close */
extern const struct sandbox_row	out_rows[];

/* ---- capture.c ---- */

/* What the user wants of every packet, whatever its source. */
struct capture_want {
	const char	*filter;	/* in libpcap's words; NULL: all */
	uint32_t	 snaplen;	/* bytes kept of a packet; 0: all */
	bool		 segment;	/* cut what an offload has put together */
	uint64_t	 rotate_bytes;	/* a new file after so many; 0: never */
	uint64_t	 rotate_ns;	/* or after such a time */
};

struct capture_interface {
	uint32_t	 linktype;	/* LINKTYPE_ */
	uint32_t	 snaplen;	/* of the source; 0: none */
	char		 name[4 * MSG_TEXT_MAX + 8], description[256], comment[64];
	uint64_t	 start;		/* ns since 1970 */
	uint64_t	 received, dropped, accepted;
};

struct capture {
	struct capture_want want;
	struct filter	*filter;
	struct out	 out;
	int		 files[FILES_MAX];
	size_t		 n_files, file;
	uint64_t	 number;	/* of the file, from 1 */
	uint64_t	 file_start;	/* ns since 1970 */
	uint64_t	 packets, bytes;	/* that were written */
	size_t		 n_interfaces;
	struct capture_interface interface[INTERFACES_MAX];
	uint32_t	 n_processes;	/* of this file */
	struct process_slot {
		uint64_t number;	/* of the file that it is in */
		uint32_t pid, index;
		char	 comm[64];
	}		 process[PROCESS_SLOTS];	/* by pid */
};

struct captured {
	uint32_t	 interface;
	uint64_t	 time;		/* ns since 1970 */
	uint32_t	 orig_len;
	uint32_t	 direction;	/* 1 into the tree, 2 out of it, 0 unknown */
	uint16_t	 segment;	/* payload of each packet on a wire; 0: it is one */
	uint32_t	 dropped;	/* that should have come before this one */
	const char	*comment;	/* NULL: none */
	uint64_t	 flow;		/* with pid */
	uint32_t	 pid;		/* of who opened the flow; 0: not known */
	const char	*comm;		/* its name */
	const uint8_t	*data;
	size_t		 len;
};

/*
 * Take over the files, which are written in turns, and begin the first.  dlt: of the packets to
 * come, -1 where that is not known before the seal (then there can be no filter).  NULL, or why not.
 */
const char	*capture_init(struct capture *, const struct capture_want *, const int *fds, size_t n,
		    int dlt);
/* One more interface, with linktype, snaplen, name and description set; false: there are too many. */
bool		 capture_interface(struct capture *, const struct capture_interface *);
void		 capture_packet(struct capture *, const struct captured *);
/* Blocks that are no packets. */
void		 capture_name(struct capture *, const struct addr *, const char *name);
void		 capture_secrets(struct capture *, const char *lines, size_t len);
/* So many more came and are not here. */
void		 capture_dropped(struct capture *, uint32_t interface, uint32_t n);
/* How many of all interfaces are not here. */
uint64_t	 capture_lost(const struct capture *);
/* A moment has passed: is it time for another file? */
void		 capture_tick(struct capture *);
/* Write the statistics and close.  False and errno when the file is not whole. */
bool		 capture_done(struct capture *);
extern const struct sandbox_row	capture_rows[];

/* ---- segment.c ---- */

/*
 * Cut an IP packet that an offload has put together into those that a wire would carry, each
 * with lengths, sequence numbers and checksums of its own.  each() gets them in order.
 * False: it cannot be cut (it is none, or is cut short); each() was not called.
 */
bool		 segment_cut(const uint8_t *packet, size_t len, uint16_t segment,
		    void (*each)(void *arg, const uint8_t *packet, size_t len), void *arg);

/* ---- frames.c ---- */

/*
 * INTERFACE and PACKET of cf-netstack; FLOW and NAME of cf-proxy.  The argument of both channels is
 * the struct views.
 */
extern const struct chan_handler	capture_handlers[], info_handlers[];

/* ---- run.c, live.c: the life of the program after its options; the exit status ---- */

struct capture_conf {
	struct capture_want want;
	const char	*path;		/* -w; NULL: descriptors */
	int		 fds[FILES_MAX];	/* --write-fd */
	size_t		 n_fds;
	int		 egress_fds[FILES_MAX];	/* --egress-fd */
	size_t		 n_egress;
	int		 info_fd, keys_fd, tuples_fd;	/* -1: none */
	const char	*backend, *egress_name;
	struct addr	 egress4, egress6;
	size_t		 keep;		/* files in turn, of a path; 0: it does not rotate */

	const char	*netns;		/* --netns: live */
	const char	*interface;	/* NULL: the one that looks right */
	bool		 list;		/* -D */
	long		 count, duration;	/* packets and seconds until the end; 0: no end */
	uint64_t	 size;		/* bytes until the end */
};
int	capture_run(const struct capture_conf *);
int	live_run(const struct capture_conf *);
extern const struct sandbox_row *const	capture_sandbox[], *const live_sandbox[],
	*const wire_sandbox[];
extern const struct sandbox_role	capture_role, live_role, wire_role;

/* The output files at OUT_FD and after, those of the egress view last; returns how many.  Ends the process where one cannot be. */
size_t	files_open(const struct capture_conf *, int fds[FILES_MAX]);
/* What they are called in messages. */
const char	*files_name(const struct capture_conf *);

#endif
