/*
 * fuzz_tcp.c - whole TCP conversations under the fuzzer's weather.
 *
 * The first byte chooses: an honest peer on a bad road, where both streams must come through,
 * or forged segments about the connection in between (any flag, numbers near the real ones, options of
 * any bytes), where nothing may crash, leak, stall or send what was not asked for.  The
 * other bytes are the dice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../unit/cf-netstack/tcp_peer.h"

#define TICKS_HONEST	400000
#define TICKS_HOSTILE	600

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static uint32_t
near(uint32_t number)
{
	static const uint32_t steps[] = { 0, 1, 2, 100, 1460, 65535, 65536, 1 << 20, 1u << 31 };
	uint32_t step = steps[dice(sizeof(steps) / sizeof(steps[0]))];

	return dice(2) ? number + step : number - step;
}

static void
forge(void)
{
	uint8_t packet[2048], options[40], data[1400];
	struct wr o = wr_over(packet, sizeof(packet));
	struct ip_head ip = { .src = &pe.me, .dst = &pe.server, .proto = PROTO_TCP, .df = true };
	struct tcp_head th = { .options = options };
	struct tcp *t = the_flow();

	for (size_t i = 0; i < sizeof(options); i++)
		options[i] = dice(4) ? (uint8_t)dice(9) : (uint8_t)dice(256);
	th.optlen = dice(11) * 4;
	th.flags = (uint16_t)dice(256);
	if (dice(3))
		th.flags |= TF_ACK;
	th.window = (uint16_t)dice(65536);
	th.seq = near(t != NULL ? (dice(2) ? t->rcv_nxt : t->rcv_edge) : pe.iss);
	th.ack = near(t != NULL ? (dice(2) ? t->una : t->nxt) : 0);
	memset(data, 0, sizeof(data));
	ip_put(&o, &ip, TCP_HEADER + th.optlen + 1400);
	ip_put_tcp(&o, &ip, &th, 0);
	wr_bytes(&o, data, 1400);
	stack_takes(packet, (size_t)(o.p - packet));
}

static void
weather_choose(bool hostile)
{
	w = (struct weather){ .loss = dice(4) * 50, .dup = dice(2) * 40, .jitter = dice(3) * 10,
	    .mss = dice(2) ? 1440 : 100 + dice(1300), .window = dice(2) ? 1 << 20 : 500 + dice(60000),
	    .stalls = dice(2), .ts = dice(2), .sack = dice(2), .wscale = dice(2), .v6 = dice(2),
	    .frames = dice(2), .up = dice(30000), .down = dice(30000), .hostile = hostile,
	    .host_reads = dice(2) ? 0 : 1 + dice(2000), .plain = dice(3) == 0 };
}

static bool
whole(void)
{
	return pe.fin_seen && pe.got == w.down && host_eof && host_got == w.up;
}

/* A peer whose last ACKs were all lost may still ask when TIME_WAIT is over: then it is reset. */
static bool
done(void)
{
	return pe.fin_seen && flow_closed && host_eof && !pe.ack_due &&
	    (pe.una == w.up + 1 || (pe.reset && whole()));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	bool hostile, opened = false;
	uint64_t seed = len;

	if (len < 2)
		return 0;
	hostile = bytes[0] & 1;
	for (size_t i = 0; i < len && i < 8; i++)
		seed = seed * 257 + bytes[i];
	dice_bytes = (uint8_t *)(uintptr_t)(bytes + 1);
	dice_left = len - 1;
	dice_state = seed;
	weather_choose(hostile);
	world_begin(seed);
	for (int i = 0; i < (hostile ? TICKS_HOSTILE : TICKS_HONEST) && !done(); i++) {
		if (n_opens == 1 && !opened) {
			opened = true;
			if (hostile && dice(8) == 0)
				proxy_refused(REFUSED_ERRNO, EHOSTUNREACH);
			else
				proxy_opened();
		}
		if (hostile)
			for (uint32_t n = dice(3); n > 0; n--)
				forge();
		peer_tick();
		world_tick();
		if (opened && w.frames && !flow_closed)
			host_tick_frames();
		else if (opened)
			host_tick_fd();
		if (hostile && flow_closed)
			break;
	}
	if (!hostile && (!done() || !whole()))
		fprintf(stderr, "reset %d fin_seen %d una %u of %u got %u of %u host_got %u eof %d closed %d loss %u\n",
		    pe.reset, pe.fin_seen, pe.una, w.up, pe.got, w.down, host_got, host_eof,
		    flow_closed, w.loss);
	MUST(hostile || (done() && whole()));
	world_end();
	MUST(st.flows.n == 0 && st.timers.n == 0);
	return 0;
}
