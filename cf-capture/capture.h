/*
 * capture.h - the parts of cf-capture: a file of whole blocks, and what frames put in it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_CAPTURE_H
#define CF_CAPTURE_H

#include <sys/types.h>

#include "chan.h"
#include "pcapng.h"
#include "sandbox.h"

#define OUT_FD		3		/* where the file is: a number that the sandbox can name */
#define OUT_BUFFER	(256 * 1024)
#define INTERFACES_MAX	64

/*
 * A file that grows by whole blocks.  They are gathered and written together; a write
 * that does not succeed leaves the file cut after its last whole block, and nothing is
 * written ever after.
 */
struct out {
	int		 fd;
	off_t		 end;		/* of what is written; -1: not a file that can be cut */
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
bool		 out_done(struct out *);	/* flush and close */
extern const struct sandbox_row	out_rows[];

struct capture {
	struct out	out;
	size_t		ninterfaces;
	struct {
		uint32_t	snaplen;
		uint64_t	received;
		uint64_t	start;
	}		interface[INTERFACES_MAX];
};

/* Take over fd, begin the file.  False and errno when memory is out. */
bool	capture_init(struct capture *, int fd);
/* Write the statistics and close.  False and errno when the file is not whole. */
bool	capture_done(struct capture *);
/* INTERFACE and PACKET; the channel's argument is the struct capture. */
extern const struct chan_handler	capture_handlers[];
extern const struct sandbox_row *const	capture_sandbox[];

/* The life of the program after its options: 0 done, 1 something failed. */
struct capture_conf {
	const char	*path;		/* -w, or NULL and: */
	int		 fd;		/* --write-fd, or -1 */
};
int	capture_run(const struct capture_conf *);

#endif
