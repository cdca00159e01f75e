/*
 * pcap.h - cf-doctor pcap: is a pcapng file sound, and what does each flow of it hold?
 *
 * Anybody may have written the file, so all that is read goes through rd.h, memory is bounded, and
 * the process is sealed before the first byte.
 *
 *	pcapfile.c	blocks (draft-ietf-opsawg-pcapng), fed in pieces of any size (pure)
 *	pcapflow.c	packets to flows (pure)
 *	pcaptell.c	in words and as JSON
 *	pcap.c		the command line and the life
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PCAP_H
#define CF_PCAP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define PCAP_BLOCK_MAX	(1024 * 1024)	/* a longer one is passed over */
#define PCAP_TEXT	128		/* names are cut there, */
#define PCAP_COMMENT	512		/* and comments here */
#define PCAP_INTERFACES	64
#define PCAP_PROCESSES	1024
#define PCAP_ERRORS	32		/* that are told; more are counted */
#define PCAP_FLOWS	32768		/* more are counted together */
#define PCAP_COMMENTS	4096		/* kept */
#define PCAP_NAMES	8192		/* of addresses, kept */

/* ---- pcapflow.c ---- */

enum pcap_end {		/* of a TCP flow, bits */
	PCAP_SYN = 1, PCAP_SYNACK = 2, PCAP_FIN_UP = 4, PCAP_FIN_DOWN = 8, PCAP_RST_UP = 16,
	PCAP_RST_DOWN = 32
};

/* One direction. */
struct pcap_way {
	uint64_t	packets, bytes;	/* as on the wire, IP headers and all */
	uint64_t	payload;
	uint64_t	missing;	/* bytes of a TCP stream that were not seen */
	uint64_t	repeated;
	uint32_t	next;		/* sequence number */
	bool		has_next;
};

struct pcap_flow {
	uint8_t		 proto;		/* 0: the slot is free */
	uint8_t		 ends;		/* enum pcap_end */
	struct addr	 from, to;	/* from: who sent the first packet; echo: its identifier */
	struct pcap_way	 up, down;
	uint64_t	 first, last;	/* ns */
	uint32_t	 process;	/* 1 + its number; 0: unknown */
	char		*comment;	/* of its first packet that has one */
};

struct pcap_flows {
	struct pcap_flow *at;		/* open addressing */
	size_t		 max, slots;	/* flows; twice as many slots */
	uint64_t	 seed;
	size_t		 n;
	uint64_t	 beyond;	/* packets of flows for which there was no room */
	uint64_t	 other;		/* packets that are of no flow: fragments, other protocols */
	uint64_t	 not_ip;
};

bool	pcap_flows_init(struct pcap_flows *, uint64_t seed, size_t max);
void	pcap_flows_done(struct pcap_flows *);
/* The flow of this packet, counted; NULL: it is of none.  len: of what there is, orig: on the wire. */
struct pcap_flow	*pcap_flows_packet(struct pcap_flows *, unsigned linktype, const uint8_t *,
		    size_t len, size_t orig, uint64_t ns);

/* ---- pcapfile.c ---- */

struct pcap_interface {
	char		 name[PCAP_TEXT];
	uint16_t	 linktype;
	uint32_t	 snaplen;
	uint8_t		 resolution;	/* if_tsresol */
	uint64_t	 packets, bytes, cut;	/* cut: of packets, by a snaplen */
	uint64_t	 first, last, backwards;	/* packets that are older than the one before */
	bool		 has_statistics;
	uint64_t	 received, dropped;	/* as its last statistics say */
};

enum { PCAP_SECTIONS, PCAP_INTERFACE_BLOCKS, PCAP_PACKETS, PCAP_NAME_BLOCKS, PCAP_STATISTICS,
    PCAP_SECRETS, PCAP_PROCESS_BLOCKS, PCAP_OTHERS, PCAP_KINDS };
extern const char *const	pcap_kinds[PCAP_KINDS];

struct pcap_error {
	uint64_t	 offset;
	const char	*what;
};

struct pcap_name {
	struct addr	 addr;
	char		 name[PCAP_TEXT];
};

struct pcap {
	uint8_t		*block;		/* collected so far */
	size_t		 len, need;	/* need: of the whole block; 0: its head is not there yet */
	uint64_t	 offset;	/* of that block in the file */
	uint64_t	 skip;		/* bytes of a block that is too long */
	uint64_t	 drops;		/* that packets themselves tell of */
	bool		 swapped, dead;	/* dead: nothing after this can be read */

	uint64_t	 blocks[PCAP_KINDS], comments;
	struct pcap_error error[PCAP_ERRORS];
	uint64_t	 n_errors;
	struct pcap_interface interface[PCAP_INTERFACES];
	size_t		 n_interfaces, section_start;	/* of the section that is read */
	struct { uint32_t pid; char name[PCAP_TEXT]; } process[PCAP_PROCESSES];
	size_t		 n_processes, section_processes;
	size_t		 n_comments;
	struct pcap_name *name;
	size_t		 n_names;
	char		 application[PCAP_TEXT];
	struct pcap_flows flows;
};

/* flows: PCAP_FLOWS, or fewer.  NULL: out of memory. */
struct pcap	*pcap_new(uint64_t seed, size_t flows);
void	pcap_free(struct pcap *);
void	pcap_feed(struct pcap *, const uint8_t *, size_t len);
/* There is no more. */
void	pcap_end(struct pcap *);

/* ---- pcaptell.c ---- */

/* NULL: out of memory.  path: as it was named. */
json_t	*pcap_model(const struct pcap *, const char *path);
char	*pcap_text(const json_t *model);

/* argv[0] is "pcap". */
int	pcap_main(int argc, char **argv);

#endif
