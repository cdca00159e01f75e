/*
 * rules.c - see rules.h.
 *
 * A judgement first gathers, for each class of rules, the first rule that covers the flow,
 * and then goes through the classes in the order of their precedence.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rules.h"

#include <string.h>

#include "forms.h"
#include "name.h"
#include "rules_flat.h"

const struct rules_source_row rules_sources[RULES_SOURCES] = {
	[RULES_BUILTIN] = { "built-in", "built_in", false, RULETEXT_FULL },
	[RULES_ALLOW_CIDR] = { "--allow-cidr", "allow_cidr", true, RULETEXT_CIDR },
	[RULES_DENY_CIDR] = { "--deny-cidr", "deny_cidr", false, RULETEXT_CIDR },
	[RULES_ALLOW_DOMAIN] = { "--allow-domain", "allow_domain", true, RULETEXT_DOMAIN },
	[RULES_ALLOW_DOMAIN_EXACT] = { "--allow-domain-exact", "allow_domain_exact", true,
	    RULETEXT_EXACT },
	[RULES_DENY_DOMAIN] = { "--deny-domain", "deny_domain", false, RULETEXT_DOMAIN },
	[RULES_DENY_DOMAIN_EXACT] = { "--deny-domain-exact", "deny_domain_exact", false,
	    RULETEXT_EXACT },
	[RULES_ALLOW] = { "--allow", "allow_rule", true, RULETEXT_FULL },
	[RULES_DENY] = { "--deny", "deny_rule", false, RULETEXT_FULL },
	[RULES_ALLOW_FILE] = { "--allow-file", "allow_rule", true, RULETEXT_FULL },
	[RULES_DENY_FILE] = { "--deny-file", "deny_rule", false, RULETEXT_FULL },
	[RULES_QUOTA] = { "--quota", "quota_bytes", false, RULETEXT_FULL },
};

#define SECTION(r, name, type)	((const type *)(const void *)((r)->base + (r)->head->name.off))
#define NODES(r)	SECTION(r, nodes, struct cidr_node)
#define KEYS(r)		SECTION(r, keys, struct flat_key)
#define SLOTS(r)	SECTION(r, slots, struct flat_slot)
#define SPANS(r)	SECTION(r, spans, struct flat_span)
#define NAMES(r)	SECTION(r, names, struct flat_name)

/* ---- loading ---- */

uint64_t
flat_sum(const struct rules_head *head)
{
	struct rules_head bare = *head;

	bare.sum = siphash(head->seed, head + 1, head->len - sizeof(*head));
	return siphash(head->seed, &bare, sizeof(bare));
}

static bool
section_ok(const struct rules_head *head, const struct flat_section *s, size_t size)
{
	return s->off % 8 == 0 && s->off >= sizeof(*head) && s->off <= head->len &&
	    s->n <= (head->len - s->off) / size;
}

static const char *
head_check(const struct rules_head *head, size_t len)
{
	if (head->magic != FLAT_MAGIC)
		return "it is not a compiled policy";
	if (head->version != FLAT_VERSION)
		return "it was compiled by another version";
	if (head->len != len)
		return "it is cut short";
	if (!section_ok(head, &head->nodes, sizeof(struct cidr_node)) ||
	    !section_ok(head, &head->keys, sizeof(struct flat_key)) ||
	    !section_ok(head, &head->slots, sizeof(struct flat_slot)) ||
	    !section_ok(head, &head->spans, sizeof(struct flat_span)) ||
	    !section_ok(head, &head->rules, sizeof(struct flat_rule)) ||
	    !section_ok(head, &head->names, sizeof(struct flat_name)) ||
	    !section_ok(head, &head->strings, 1) ||
	    !section_ok(head, &head->quotas, sizeof(struct flat_quota)) ||
	    !section_ok(head, &head->quota_ranges, sizeof(struct rule_range)))
		return "a section lies outside of it";
	if (flat_sum(head) != head->sum)
		return "it is damaged";
	return NULL;
}

static bool
keys_ok(const struct rules *r)
{
	const struct rules_head *h = r->head;

	for (uint32_t i = 0; i < h->keys.n; i++) {
		const struct flat_key *key = &KEYS(r)[i];

		if (key->slot > h->slots.n || key->n > h->slots.n - key->slot)
			return false;
	}
	for (uint32_t i = 0; i < h->slots.n; i++) {
		const struct flat_slot *slot = &SLOTS(r)[i];

		if (slot->class >= CLASSES || slot->span > h->spans.n ||
		    slot->n > h->spans.n - slot->span ||
		    (slot->whole != RULES_NONE && slot->whole >= h->rules.n))
			return false;
	}
	for (uint32_t i = 0; i < h->spans.n; i++)
		if (SPANS(r)[i].rule >= h->rules.n)
			return false;
	return h->any_key < h->keys.n;
}

static bool
names_ok(const struct rules *r)
{
	const struct rules_head *h = r->head;
	uint32_t used = 0;

	for (uint32_t i = 0; i < h->names.n; i++) {
		const struct flat_name *name = &NAMES(r)[i];

		if (name->name >= h->strings.n || name->self_key >= h->keys.n ||
		    name->below_key >= h->keys.n)
			return false;
		used += name->name != 0;
	}
	/* A power of two, and an empty place at which every search ends. */
	return h->names.n > 0 && (h->names.n & (h->names.n - 1)) == 0 && used < h->names.n;
}

static bool
rows_ok(const struct rules *r)
{
	const struct rules_head *h = r->head;
	const struct flat_rule *rule = SECTION(r, rules, struct flat_rule);

	for (uint32_t i = 0; i < h->rules.n; i++)
		if (rule[i].source >= RULES_SOURCES || rule[i].class >= CLASSES ||
		    rule[i].shown >= h->strings.n || rule[i].cidr >= h->strings.n ||
		    rule[i].domain >= h->strings.n || rule[i].file >= h->strings.n)
			return false;
	return true;
}

const char *
rules_load(const void *buf, size_t len, struct rules *out)
{
	struct rules r = { .head = buf, .base = buf };
	const struct rules_head *h = buf;
	const char *why;

	if ((uintptr_t)buf % 8 != 0)
		return "it does not lie on an 8-byte boundary";
	if (len < sizeof(*h))
		return "it is shorter than its own head";
	if ((why = head_check(h, len)) != NULL)
		return why;
	if (h->strings.n == 0 || r.base[h->strings.off] != '\0' ||
	    r.base[h->strings.off + h->strings.n - 1] != '\0')
		return "its strings have no end";
	if (h->nodes.n == 0 || h->root[0] >= h->nodes.n || h->root[1] >= h->nodes.n ||
	    !cidr_ok(NODES(&r), h->nodes.n, h->keys.n) || !keys_ok(&r) || !names_ok(&r) ||
	    !rows_ok(&r) || !quotas_ok(&r))
		return "a part of it refers outside of itself";
	*out = r;
	return NULL;
}

unsigned
rules_flags(const struct rules *r)
{
	return r->head->flags;
}

size_t
rules_count(const struct rules *r)
{
	return r->head->rules.n;
}

size_t
rules_size(const struct rules *r)
{
	return r->head->len;
}

bool
rules_hold_names(const struct rules *r)
{
	unsigned allow = RULES_HAS_ALLOW_NAMES | RULES_DEFAULT_DENY;

	return (r->head->flags & (RULES_HAS_DENY_NAMES | RULES_HAS_QUOTA_NAMES)) != 0 ||
	    (r->head->flags & allow) == allow;
}

/* ---- gathering ---- */

/* For each class the first rule that covers what is judged. */
struct best {
	uint32_t	rule[CLASSES];
	size_t		name[CLASSES];		/* of the flow, or n_names */
	struct addr	form[CLASSES];
};

/* What is asked of each key. */
struct want {
	const struct rules *r;
	uint32_t	 selector;
	enum { AT_SELECTOR, EVERYWHERE, ANYWHERE } how;
	unsigned	 classes;		/* a bit for each that may be taken */
	size_t		 name;
	struct addr	 form;
};

#define CLASS_BIT(class)	(1u << (class))
#define ALL_CLASSES		(CLASS_BIT(CLASSES) - 1)
#define ALLOW_CLASSES		(CLASS_BIT(CLASS_ALLOW_ADDR) | CLASS_BIT(CLASS_ALLOW_ANY) | \
    CLASS_BIT(CLASS_ALLOW_NAME_PORT) | CLASS_BIT(CLASS_ALLOW_NAME))

static void
best_init(struct best *b, size_t n_names)
{
	for (int i = 0; i < CLASSES; i++) {
		b->rule[i] = RULES_NONE;
		b->name[i] = n_names;
		b->form[i] = (struct addr){ 0 };
	}
}

/* The rule for this selector, RULES_NONE when there is none. */
static uint32_t
span_find(const struct rules *r, const struct flat_slot *slot, uint32_t selector)
{
	const struct flat_span *span = SPANS(r) + slot->span;
	uint32_t low = 0, high = slot->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (span[mid].hi < selector)
			low = mid + 1;
		else
			high = mid;
	}
	return low < slot->n && span[low].lo <= selector ? span[low].rule : RULES_NONE;
}

static uint32_t
slot_ask(const struct want *w, const struct flat_slot *slot)
{
	/* A permission for one port is enough to ask for the name; a refusal has to be whole. */
	if (w->how == AT_SELECTOR)
		return span_find(w->r, slot, w->selector);
	if (w->how == EVERYWHERE || !(CLASS_BIT(slot->class) & ALLOW_CLASSES) || slot->n == 0)
		return slot->whole;
	return SPANS(w->r)[slot->span].rule;
}

static void
key_ask(const struct want *w, uint32_t key, struct best *b)
{
	const struct flat_slot *slot = SLOTS(w->r) + KEYS(w->r)[key].slot;

	for (uint32_t i = 0; i < KEYS(w->r)[key].n; i++, slot++) {
		uint32_t rule;

		if (!(w->classes & CLASS_BIT(slot->class)))
			continue;
		rule = slot_ask(w, slot);
		if (rule < b->rule[slot->class]) {
			b->rule[slot->class] = rule;
			b->name[slot->class] = w->name;
			b->form[slot->class] = w->form;
		}
	}
}

static void
addr_ask(struct want *w, const struct addr *a, struct best *b)
{
	uint32_t keys[CIDR_DEPTH];
	struct addr forms[FORMS_MAX];
	size_t n_forms = forms_of(a, forms);

	for (size_t i = 0; i < n_forms; i++) {
		size_t n = cidr_find(NODES(w->r), w->r->head->root, &forms[i], keys);

		w->classes = i == 0 ? ALL_CLASSES : ALL_CLASSES & ~ALLOW_CLASSES;
		w->form = forms[i];
		for (size_t k = 0; k < n; k++)
			key_ask(w, keys[k], b);
	}
	w->classes = ALL_CLASSES;
	w->form = forms[0];
}

static const struct flat_name *
name_find(const struct rules *r, const char *name)
{
	const struct flat_name *names = NAMES(r);
	uint32_t hash = (uint32_t)siphash(r->head->seed, name, strlen(name));
	uint32_t mask = r->head->names.n - 1;

	for (uint32_t i = hash & mask; names[i].name != 0; i = (i + 1) & mask)
		if (names[i].hash == hash &&
		    strcmp((const char *)r->base + r->head->strings.off + names[i].name, name) == 0)
			return &names[i];
	return NULL;
}

static size_t
labels_count(const char *name)
{
	size_t n = 1;

	for (; (name = name_parent(name)) != NULL; n++)
		;
	return n;
}

/* The name itself, and every name above it; those longer than any rule's are passed over. */
static void
name_ask(const struct want *w, const char *name, struct best *b)
{
	size_t labels = labels_count(name);
	const struct flat_name *found;
	bool self = true;

	for (; name != NULL; name = name_parent(name), self = false, labels--) {
		if (labels > w->r->head->labels_max || (found = name_find(w->r, name)) == NULL)
			continue;
		key_ask(w, self ? found->self_key : found->below_key, b);
	}
}

/* ---- judging ---- */

static bool
refuse(struct rules_verdict *out, enum rules_why why)
{
	out->allowed = false;
	out->why = why;
	return false;
}

static bool
take(struct rules_verdict *out, const struct best *b, enum flat_class class, bool allowed)
{
	out->allowed = allowed;
	out->why = allowed ? RULES_WHY_ALLOWED : RULES_WHY_RULE;
	out->by = class >= CLASS_ALLOW_NAME_PORT ? RULES_BY_NAME : RULES_BY_ADDRESS;
	out->at_port = class == CLASS_ALLOW_NAME_PORT;
	out->rule = b->rule[class];
	out->name = b->name[class];
	out->form = b->form[class];
	return allowed;
}

/* Ranks 2 to 13 over what was gathered. */
static bool
decide(const struct rules *r, const struct best *b, bool proxied, struct rules_verdict *out)
{
	unsigned flags = r->head->flags;

	for (int i = 0; i < CLASS_ALLOW_ADDR; i++)
		if (b->rule[i] != RULES_NONE)
			return take(out, b, (enum flat_class)i, false);
	if ((flags & RULES_PROXY_ONLY) != 0 && !proxied)
		return refuse(out, RULES_WHY_PROXY_ONLY);
	for (int i = CLASS_ALLOW_ADDR; i < CLASSES; i++)
		if ((i < CLASS_ALLOW_NAME_PORT || (flags & RULES_DEFAULT_DENY) != 0) &&
		    b->rule[i] != RULES_NONE)
			return take(out, b, (enum flat_class)i, true);
	if ((flags & RULES_DEFAULT_DENY) != 0)
		return refuse(out, RULES_WHY_DEFAULT);
	out->allowed = true;
	return true;
}

static void
verdict_init(struct rules_verdict *out, size_t n_names, const struct addr *form)
{
	memset(out, 0, sizeof(*out));
	out->rule = RULES_NONE;
	out->name = n_names;
	if (form != NULL)
		out->form = *form;
}

static bool
judge(const struct rules *r, const struct rules_flow *flow, bool by_address,
    struct rules_verdict *out)
{
	struct want w = { .r = r, .how = AT_SELECTOR, .classes = ALL_CLASSES,
	    .name = flow->n_names };
	struct best b;

	verdict_init(out, flow->n_names, &flow->dst);
	if ((r->head->flags & RULES_OFFLINE) != 0)
		return refuse(out, RULES_WHY_OFFLINE);
	w.selector = RULE_SELECTOR(flow->proto, flow->proto == RULE_ICMP ? 0 : flow->dst.port);
	best_init(&b, flow->n_names);
	if (by_address && flow->dst.family != 0)
		addr_ask(&w, &flow->dst, &b);
	w.classes = ALL_CLASSES;
	key_ask(&w, r->head->any_key, &b);
	for (w.name = 0; w.name < flow->n_names; w.name++)
		name_ask(&w, flow->names[w.name], &b);
	return decide(r, &b, flow->proxied, out);
}

bool
rules_judge(const struct rules *r, const struct rules_flow *flow, struct rules_verdict *out)
{
	return judge(r, flow, true, out);
}

bool
rules_judge_nowhere(const struct rules *r, const struct rules_flow *flow,
    struct rules_verdict *out)
{
	return judge(r, flow, false, out);
}

bool
rules_judge_unnamed(const struct rules *r, const struct rules_flow *flow,
    struct rules_verdict *out)
{
	struct rules_flow bare = *flow;

	bare.names = NULL;
	bare.n_names = 0;
	if (rules_judge(r, &bare, out) || out->why != RULES_WHY_DEFAULT ||
	    (r->head->flags & RULES_HAS_ALLOW_NAMES) == 0)
		return out->allowed;
	out->allowed = true;
	out->why = RULES_WHY_ALLOWED;
	out->by = RULES_BY_NAME;
	return true;
}

bool
rules_judge_name(const struct rules *r, const char *name, bool proxied, struct rules_verdict *out)
{
	struct want w = { .r = r, .how = ANYWHERE, .classes = ALL_CLASSES, .name = 1 };
	struct best b;

	verdict_init(out, 1, NULL);
	if ((r->head->flags & RULES_OFFLINE) != 0)
		return refuse(out, RULES_WHY_OFFLINE);
	best_init(&b, 1);
	key_ask(&w, r->head->any_key, &b);
	w.name = 0;
	name_ask(&w, name, &b);
	return decide(r, &b, proxied, out);
}

bool
rules_judge_answer(const struct rules *r, const struct addr *a, struct rules_verdict *out)
{
	struct want w = { .r = r, .how = EVERYWHERE };
	struct best b;

	verdict_init(out, 0, a);
	best_init(&b, 0);
	addr_ask(&w, a, &b);
	for (int i = 0; i < CLASS_ALLOW_ADDR; i++)
		if (b.rule[i] != RULES_NONE)
			return take(out, &b, (enum flat_class)i, false);
	out->allowed = true;
	return true;
}
