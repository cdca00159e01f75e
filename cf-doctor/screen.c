/*
 * screen.c - the table of flows on a terminal; see monitor.h.
 *
 *	 one line of totals
 *	 column heads
 *	 rows, as many as fit; those that were denied stand out
 *	 one line of keys, or what is being typed
 *
 * ncurses reads the terminal's description before the seal; after it there is only the
 * terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asm/ioctls.h>
#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "monitor.h"

const struct sandbox_row screen_rows[] = {
	ALLOW(poll,		"ncurses: is there a key"),
	ALLOW(pselect6,		"ncurses: the same, with a time"),
	ALLOW(rt_sigaction,	"ncurses: the size of the terminal changes"),
	ALLOW_ARG(ioctl, 1, TCGETS,	"ncurses: the terminal's modes"),
	ALLOW_ARG(ioctl, 1, TCSETS,	"ncurses: and give them back"),
	ALLOW_ARG(ioctl, 1, TCSETSW,	"ncurses: the same after what was written"),
	ALLOW_ARG(ioctl, 1, TCSETSF,	"ncurses: the same, and forget keys that nobody took"),
	ALLOW_ARG(ioctl, 1, TCFLSH,	"ncurses: forget keys that nobody took"),
	ALLOW_ARG(ioctl, 1, TIOCGWINSZ,	"ncurses: the terminal's size"),
	{ 0 }
};

enum { PAIR_DENIED = 1, PAIR_FAILED, PAIR_OPEN };

static SCREEN	*the_screen;
static FILE	*tty;

void
screen_open(int tty_fd, const char *term, bool no_color)
{
	if ((tty = fdopen(tty_fd, "r+")) == NULL)
		fatal("cannot use the terminal");
	if (term == NULL && (term = getenv("TERM")) == NULL)
		term = "dumb";
	if ((the_screen = newterm(term, tty, tty)) == NULL)
		fatalx("cannot show a table on a terminal of the type %s (set TERM; for a log as text: "
		    "cf-doctor report)", term);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	if (has_colors() && !no_color) {
		start_color();
		use_default_colors();
		init_pair(PAIR_DENIED, COLOR_RED, -1);
		init_pair(PAIR_FAILED, COLOR_YELLOW, -1);
		init_pair(PAIR_OPEN, COLOR_GREEN, -1);
	}
	refresh();
}

void
screen_close(void)
{
	endwin();
	delscreen(the_screen);
	fclose(tty);
}

/* ---- drawing ---- */

static attr_t
row_look(const struct row *r)
{
	switch (r->state) {
	case ROW_DENIED: return A_BOLD | (attr_t)COLOR_PAIR(PAIR_DENIED);
	case ROW_FAILED: return (attr_t)COLOR_PAIR(PAIR_FAILED);
	case ROW_OPEN:	 return (attr_t)COLOR_PAIR(PAIR_OPEN);
	default:	 return A_NORMAL;
	}
}

/* A line from its start to the edge, the rest of it empty. */
static void
line(int y, attr_t look, const char *text)
{
	attrset(look);
	mvaddnstr(y, 0, text, COLS);
	clrtoeol();
	attrset(A_NORMAL);
}

static void
draw_totals(const struct flowtable *t, const struct view *v)
{
	char text[512], up[SIZE_LEN], down[SIZE_LEN];

	snprintf(text, sizeof(text), "%s: %llu open, %llu denied, %s up, %s down, %llu queries%s%s",
	    v->source, (unsigned long long)t->open, (unsigned long long)t->denied,
	    size_text((double)t->up, up), size_text((double)t->down, down),
	    (unsigned long long)t->queries, v->ended ? ", ended" : "", v->frozen ? ", FROZEN" : "");
	if (t->gone > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", %llu older left out",
		    (unsigned long long)t->gone);
	if (t->malformed > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", %llu lines unreadable",
		    (unsigned long long)t->malformed);
	line(0, A_BOLD, text);
}

#define COLUMNS	"%-7.7s %-6.6s %-22.22s %-26.26s %-18.18s %6.6s %6.6s %6.6s %6.6s %7.7s %s"

/* "12.3s" since the first event. */
static const char *
age_text(const struct flowtable *t, const struct row *r, char buf[32])
{
	snprintf(buf, 32, "%.1fs", (double)(r->began_ms - t->first_ms) / 1000);
	return buf;
}

static void
draw_row(const struct flowtable *t, const struct row *r, int y)
{
	char text[512], n[4][SIZE_LEN], age[32], why[128];

	if (r->times > 1)
		snprintf(why, sizeof(why), "%llux %s", (unsigned long long)r->times, r->why);
	else
		snprintf(why, sizeof(why), "%s", r->why);
	snprintf(text, sizeof(text), COLUMNS, row_states[r->state], r->proto, r->remote,
	    r->name[0] != '\0' ? r->name : "-", r->process[0] != '\0' ? r->process : "-",
	    size_text(r->up_rate, n[0]), size_text(r->down_rate, n[1]),
	    size_text((double)r->up, n[2]), size_text((double)r->down, n[3]),
	    age_text(t, r, age), why);
	line(y, row_look(r), text);
}

static void
draw_foot(const struct view *v)
{
	char text[256];

	if (v->typing)
		snprintf(text, sizeof(text), "only rows with: %s_", v->want);
	else
		snprintf(text, sizeof(text), "q quit  s sorted by %s  / only%s%s%s  space freeze  "
		    "arrows, page up, page down", row_orders[v->order], v->want[0] != '\0' ? " \"" : "",
		    v->want, v->want[0] != '\0' ? "\"" : "");
	line(LINES - 1, A_REVERSE, text);
}

void
screen_draw(const struct flowtable *t, struct view *v)
{
	static const struct row *list[FLOWTABLE_MAX];
	size_t n = flowtable_list(t, v->order, v->want, list);
	size_t room = LINES > 3 ? (size_t)LINES - 3 : 0;
	char heads[512];

	if (v->first + room > n)
		v->first = n > room ? n - room : 0;
	draw_totals(t, v);
	snprintf(heads, sizeof(heads), COLUMNS, "STATE", "PROTO", "ADDRESS", "NAME", "PROCESS", "UP/s",
	    "DOWN/s", "UP", "DOWN", "SINCE", "WHY");
	line(1, A_UNDERLINE, heads);
	for (size_t i = 0; i < room; i++) {
		if (v->first + i < n)
			draw_row(t, list[v->first + i], (int)i + 2);
		else
			line((int)i + 2, A_NORMAL, "");
	}
	draw_foot(v);
	refresh();
}

/* ---- keys ---- */

static void
type(struct view *v, int key)
{
	size_t len = strlen(v->want);

	if (key == '\r' || key == '\n' || key == KEY_ENTER || key == 27)
		v->typing = false;
	if (key == 27)
		v->want[0] = '\0';
	else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && len > 0)
		v->want[len - 1] = '\0';
	else if (key >= ' ' && key <= '~' && len + 1 < sizeof(v->want)) {
		v->want[len] = (char)key;
		v->want[len + 1] = '\0';
	}
}

static void
scroll_by(struct view *v, long rows)
{
	if (rows < 0 && v->first < (size_t)-rows)
		v->first = 0;
	else
		v->first += (size_t)rows;	/* screen_draw() knows where the end is */
}

static void
command(struct view *v, int key)
{
	switch (key) {
	case 'q':	v->quit = true; break;
	case 's':	v->order = (v->order + 1) % ROW_ORDERS; break;
	case '/':	v->typing = true; v->want[0] = '\0'; break;
	case ' ':	v->frozen = !v->frozen; break;
	case KEY_UP: case 'k':		scroll_by(v, -1); break;
	case KEY_DOWN: case 'j':	scroll_by(v, 1); break;
	case KEY_PPAGE:	scroll_by(v, -(LINES - 3)); break;
	case KEY_NPAGE:	scroll_by(v, LINES - 3); break;
	case KEY_HOME:	v->first = 0; break;
	case KEY_END:	v->first = FLOWTABLE_MAX; break;
	default:	break;
	}
}

bool
screen_keys(struct view *v)
{
	bool any = false;
	int key;

	while ((key = getch()) != ERR) {
		any = true;
		if (v->typing && key != KEY_RESIZE)
			type(v, key);
		else
			command(v, key);
	}
	return any;
}
