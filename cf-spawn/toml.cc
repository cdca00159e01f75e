/*
 * toml.cc - cf-toml: a profile in TOML on standard input, the same as JSON on standard output.
 *
 * cf-spawn is on both ends.  It does not link C++ and does not parse what a stranger may
 * have written: this program does, and by then it is sealed.  It can read, write and
 * leave.  What it says is believed no more than that (tomlread.h): a key, where it stands,
 * and its value.
 *
 *	{"keys": [[NAME, LINE, COLUMN, VALUE], ...]}	or	{"error": [TEXT, LINE, COLUMN]}
 *	VALUE = [TYPE, LINE, COLUMN] and, for "string", "integer", "boolean" and "list" (of
 *	        VALUEs that are no lists), what it is
 *
 * Profiles are flat: of a table only is said that it is one.  Lines and columns count from
 * 1, columns in characters.
 *
 * The only file in C++; TOML itself is toml++'s.
 *
 * SPDX-License-Identifier: MIT
 */
#define TOML_EXCEPTIONS		0
#define TOML_HEADER_ONLY	1
#define TOML_ENABLE_FORMATTERS	0
#define TOML_MAX_NESTED_VALUES	16	/* two are of use */
/* Some files that are no TOML fail one.  cf-spawn says that it could not be read, in a line. */
#define TOML_ASSERT(expr)	((expr) ? static_cast<void>(0) : std::abort())
#include <cstdlib>
#include <toml++/toml.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <unistd.h>

#define _Noreturn [[noreturn]]
extern "C" {
#include "log.h"
#include "sandbox.h"
#include "tomlread.h"
}

namespace {

const sandbox_row	rows[] = {
	ALLOW(read,	"the profile"),
	{}
};
const sandbox_row *const	tables[] = { sandbox_base, rows, nullptr };
const sandbox_role		role = {
	.name = "cf-toml", .does = "reads a profile, writes it as JSON",
	.tables = tables, .leaves = SANDBOX_APART, .keeps_root = false,
	.stays = "in the network, whose leaving would take longer than all that it does",
};

struct bad {
	std::string		text;
	toml::source_position	at;
};

/* RFC 8259 7; the text is UTF-8 already. */
void
put_string(std::string &out, std::string_view text)
{
	char escaped[8];

	out += '"';
	for (const char c : text) {
		if (c == '"' || c == '\\') {
			out += '\\';
			out += c;
		} else if (static_cast<unsigned char>(c) < 0x20) {
			snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(c));
			out += escaped;
		} else {
			out += c;
		}
	}
	out += '"';
}

void
put_position(std::string &out, const toml::source_position &at)
{
	out += "," + std::to_string(at.line) + "," + std::to_string(at.column);
}

const char *
type_name(const toml::node &node, bool in_list)
{
	switch (node.type()) {
	case toml::node_type::string:		return "string";
	case toml::node_type::integer:		return "integer";
	case toml::node_type::boolean:		return "boolean";
	case toml::node_type::array:		return in_list ? "array" : "list";
	case toml::node_type::table:		return "table";
	case toml::node_type::floating_point:	return "float";
	default:				return "date or time";
	}
}

bool
put_value(std::string &out, const toml::node &node, bool in_list, bad &err)
{
	bool first = true;

	out += "[\"";
	out += type_name(node, in_list);
	out += '"';
	put_position(out, node.source().begin);
	if (const auto *text = node.as_string()) {
		if (text->get().find('\0') != std::string::npos) {
			err = { "a string holds a zero byte", node.source().begin };
			return false;
		}
		out += ',';
		put_string(out, text->get());
	} else if (const auto *number = node.as_integer()) {
		out += "," + std::to_string(number->get());
	} else if (const auto *boolean = node.as_boolean()) {
		out += boolean->get() ? ",true" : ",false";
	} else if (const auto *list = node.as_array(); list != nullptr && !in_list) {
		if (list->size() > TOMLREAD_ITEMS_MAX) {
			err = { "the list is too long (put rules into a file: allow_file, deny_file)",
			    node.source().begin };
			return false;
		}
		out += ",[";
		for (const toml::node &item : *list) {
			if (!first)
				out += ',';
			first = false;
			if (!put_value(out, item, true, err))
				return false;
		}
		out += ']';
	}
	out += ']';
	return true;
}

bool
put_table(std::string &out, const toml::table &table, bad &err)
{
	bool first = true;

	if (table.size() > TOMLREAD_KEYS_MAX) {
		err = { "there are too many keys", { 1, 1 } };
		return false;
	}
	out = "{\"keys\":[";
	for (auto &&[key, node] : table) {
		if (!first)
			out += ',';
		first = false;
		if (key.str().find('\0') != std::string_view::npos) {
			err = { "a key holds a zero byte", key.source().begin };
			return false;
		}
		out += '[';
		put_string(out, key.str());
		put_position(out, key.source().begin);
		out += ',';
		if (!put_value(out, node, false, err))
			return false;
		out += ']';
	}
	out += "]}";
	return true;
}

std::string
converted(std::string_view text)
{
	const toml::parse_result result = toml::parse(text);
	std::string out;
	bad err;

	if (result.failed())
		err = { std::string(result.error().description()), result.error().source().begin };
	else if (put_table(out, result.table(), err))
		return out;
	out = "{\"error\":[";
	put_string(out, err.text);
	put_position(out, err.at);
	out += "]}";
	return out;
}

std::string
read_all(int fd)
{
	static char buf[65536];
	std::string all;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			fatal("cannot read the profile");
		if (all.size() + static_cast<size_t>(n) > TOMLREAD_FILE_MAX)
			fatalx("the profile is larger than %d bytes", TOMLREAD_FILE_MAX);
		all.append(buf, static_cast<size_t>(n));
	}
	return all;
}

void
write_all(int fd, std::string_view text)
{
	while (!text.empty()) {
		const ssize_t n = write(fd, text.data(), text.size());

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			fatal("cannot write");
		text.remove_prefix(static_cast<size_t>(n));
	}
}

} // namespace

int
main(int argc, char *argv[])
{
	static const sandbox_role *const roles[] = { &role, nullptr };
	int rfd, wfd;

	sandbox_audit_asked(argc, argv, "cf-toml", roles, nullptr);
	log_init("cf-toml", 0);
	if (argc == 2 && strcmp(argv[1], "-n") == 0) {
		sandbox_print(tables);
		return fflush(stdout) == 0 ? 0 : 1;
	}
	if (argc != 1) {
		fprintf(stderr, "usage: cf-toml [-n] < PROFILE > JSON\n");
		return 2;
	}
	sandbox_prepare(&rfd, &wfd, nullptr);
	sandbox_enter(&role);
	write_all(wfd, converted(read_all(rfd)) + "\n");
	return 0;
}
