#include "tests/unit/check_fields.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"

/* One generated test: change a right packet, then see it refused for `word`, or accepted. */
struct generated {
	const struct message_protocol *protocol;
	const struct message_case *message;
	const struct field *field; /* NULL: the change is not one field's */
	void (*change)(struct packet *packet, const struct field *field);
	void (*variant)(struct packet *packet);
	char word[32];	  /* empty: it is accepted */
	int code;	  /* 0: any */
	bool keeps_size;  /* header.size stays as the change left it */
	bool is_reversed; /* comes from the wrong side */
};

static struct generated *generated;
static struct CMUnitTest *tests;
static size_t test_count;

void packet_append(struct packet *packet, const void *bytes, size_t size)
{
	assert_true(packet->size + size <= sizeof(packet->bytes));
	memcpy(packet->bytes + packet->size, bytes, size);
	packet->size += (uint32_t)size;
}

static struct message_header *header_of(struct packet *packet)
{
	return (struct message_header *)(void *)packet->bytes;
}

static const struct message_rule *rule_of(const struct generated *g)
{
	const struct message_rule *rule = check_find(g->protocol, g->message->type);

	assert_non_null(rule);
	return rule;
}

static void make(const struct generated *g, struct packet *packet)
{
	const struct message_rule *rule = rule_of(g);

	memset(packet, 0, sizeof(*packet));
	packet->size = rule->fixed_size;
	packet->fd_count = rule->fds_min;
	if (g->message->fill)
		g->message->fill(packet);
	*header_of(packet) = (struct message_header){.version = g->protocol->version,
		.type = rule->type,
		.size = packet->size,
		.id = rule->has_id ? 7 : 0};
}

static void run(void **state)
{
	static struct packet packet;
	const struct generated *g = *state;
	enum message_direction direction = rule_of(g)->direction;
	const struct message_rule *rule = NULL;
	struct error err = {0};
	int r;

	make(g, &packet);
	if (g->variant)
		g->variant(&packet);
	if (g->change)
		g->change(&packet, g->field);
	if (!g->keeps_size)
		header_of(&packet)->size = packet.size;
	if (g->is_reversed)
		direction = direction == MESSAGE_TO_SERVER ? MESSAGE_TO_CLIENT : MESSAGE_TO_SERVER;

	r = check_message(
		g->protocol, direction, packet.bytes, packet.size, packet.fd_count, &rule, &err);
	if (!g->word[0]) {
		if (r < 0)
			fail_msg("refused: %s", err.text);
		assert_ptr_equal(rule, rule_of(g));
		return;
	}
	if (r == 0)
		fail_msg("accepted");
	if (!strstr(err.text, g->word))
		fail_msg("refused for another reason than %s: %s", g->word, err.text);
	assert_null(rule);
	assert_int_equal(err.code, -r);
	if (g->code)
		assert_int_equal(err.code, g->code);
}

/* Takes the name from the format; everything lives until the process ends. */
__attribute__((format(printf, 2, 3))) static void add(struct generated g, const char *format, ...)
{
	const struct message_rule *rule = check_find(g.protocol, g.message->type);
	char what[128], name[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	snprintf(name, sizeof(name), "%s %s: %s", g.protocol->name, rule ? rule->name : "?", what);

	generated[test_count] = g;
	tests[test_count] = (struct CMUnitTest){
		.name = strdup(name), .test_func = run, .initial_state = &generated[test_count]};
	test_count++;
}

static void other_version(struct packet *packet, const struct field *field)
{
	(void)field;
	header_of(packet)->version++;
}

static void other_type(struct packet *packet, const struct field *field)
{
	(void)field;
	header_of(packet)->type = UINT16_MAX;
}

static void greater_size(struct packet *packet, const struct field *field)
{
	(void)field;
	header_of(packet)->size++;
}

static void smaller_size(struct packet *packet, const struct field *field)
{
	(void)field;
	header_of(packet)->size--;
}

static void other_id(struct packet *packet, const struct field *field)
{
	(void)field;
	header_of(packet)->id = header_of(packet)->id ? 0 : 1;
}

static void other_reserved(struct packet *packet, const struct field *field)
{
	(void)field;
	header_of(packet)->reserved = 1u << 31;
}

static void no_header(struct packet *packet, const struct field *field)
{
	(void)field;
	packet->size = sizeof(struct message_header) - 1;
}

static void one_shorter(struct packet *packet, const struct field *field)
{
	packet->size = (uint32_t)field->size - 1;
}

static void one_longer(struct packet *packet, const struct field *field)
{
	packet->size = (uint32_t)field->size + 1;
}

static void other_fds(struct packet *packet, const struct field *field)
{
	packet->fd_count = field->size;
}

static void add_frame(struct generated g, const struct message_rule *rule)
{
	struct field *sizes = calloc(4, sizeof(*sizes));

	assert_non_null(sizes);
	sizes[0].size = rule->fixed_size;
	sizes[1].size = rule->fixed_size + rule->payload_max;
	sizes[2].size = rule->fds_min - 1u;
	sizes[3].size = rule->fds_max + 1u;

#define ADD(change_, field_, word_, code_, keeps, ...)                                             \
	do {                                                                                       \
		g.change = (change_);                                                              \
		g.field = (field_);                                                                \
		snprintf(g.word, sizeof(g.word), "%s", (word_));                                   \
		g.code = (code_);                                                                  \
		g.keeps_size = (keeps);                                                            \
		add(g, __VA_ARGS__);                                                               \
	} while (0)

	ADD(NULL, NULL, "", 0, false, "a right one is accepted");
	ADD(other_version, NULL, "version", EPROTONOSUPPORT, false, "another version is refused");
	ADD(other_type, NULL, "unknown type", EPROTO, false, "an unknown type is refused");
	ADD(greater_size, NULL, "header says", EMSGSIZE, true,
		"a header that says one byte more is refused");
	ADD(smaller_size, NULL, "header says", EMSGSIZE, true,
		"a header that says one byte less is refused");
	ADD(other_id, NULL, "id: ", EPROTO, false,
		rule->has_id ? "without an id it is refused" : "with an id it is refused");
	ADD(other_reserved, NULL, "reserved", EPROTO, false,
		"the header's reserved not zero is refused");
	ADD(no_header, NULL, "has no header", EMSGSIZE, true, "less than a header is refused");
	ADD(one_shorter, &sizes[0],
		rule->fixed_size == sizeof(struct message_header) ? "header" : "bytes", EMSGSIZE,
		rule->fixed_size == sizeof(struct message_header),
		"one byte less than its struct is refused");
	ADD(one_longer, &sizes[1], "bytes", EMSGSIZE, false,
		"one byte more than it may have is refused");
	if (rule->fds_min > 0)
		ADD(other_fds, &sizes[2], "fds", EPROTO, false, "with an fd too few it is refused");
	ADD(other_fds, &sizes[3], "fds", EPROTO, false, "with an fd too many it is refused");
	g.is_reversed = true;
	ADD(NULL, NULL, "wrong direction", EPROTO, false, "from the wrong side it is refused");
#undef ADD
}

static void set_number(struct packet *packet, const struct field *field, uint64_t value)
{
	memcpy(packet->bytes + field->offset, &value, field->size); /* little-endian hosts only */
}

static void set_low(struct packet *packet, const struct field *field)
{
	set_number(packet, field, field->low);
}

static void set_high(struct packet *packet, const struct field *field)
{
	set_number(packet, field, field->high);
}

static void set_below(struct packet *packet, const struct field *field)
{
	set_number(packet, field, field->low - 1);
}

static void set_above(struct packet *packet, const struct field *field)
{
	set_number(packet, field, field->high + 1);
}

static void set_zeros(struct packet *packet, const struct field *field)
{
	memset(packet->bytes + field->offset, 0, field->size);
}

static void set_ones(struct packet *packet, const struct field *field)
{
	memset(packet->bytes + field->offset, 0xff, field->size);
}

static void set_first(struct packet *packet, const struct field *field)
{
	packet->bytes[field->offset] = 1;
}

static void set_last(struct packet *packet, const struct field *field)
{
	packet->bytes[field->offset + field->size - 1] = 1;
}

static void set_unterminated(struct packet *packet, const struct field *field)
{
	memset(packet->bytes + field->offset, 'a', field->size);
}

static void set_longest(struct packet *packet, const struct field *field)
{
	set_unterminated(packet, field);
	packet->bytes[field->offset + field->size - 1] = '\0';
}

static void set_path(struct packet *packet, const struct field *field)
{
	set_zeros(packet, field);
	memcpy(packet->bytes + field->offset, "a/b", 3);
}

static void set_dots(struct packet *packet, const struct field *field)
{
	set_zeros(packet, field);
	memcpy(packet->bytes + field->offset, "..", 2);
}

static void set_capital(struct packet *packet, const struct field *field)
{
	set_zeros(packet, field);
	packet->bytes[field->offset] = 'A';
}

/* "handle.sandbox", "place[1]": what the error calls it is "sandbox", "place". */
static void set_word(struct generated *g, const struct field *field)
{
	const char *dot = strrchr(field->name, '.');

	snprintf(g->word, sizeof(g->word), "%s", dot ? dot + 1 : field->name);
	g->word[strcspn(g->word, "[")] = '\0';
}

static void add_range(struct generated g)
{
	const struct field *f = g.field;
	uint64_t greatest = UINT64_MAX >> (64 - 8 * f->size);

	if (f->low > 0) {
		g.change = set_below;
		add(g, "%s below its range is refused", f->name);
	}
	if (f->high < greatest) {
		g.change = set_above;
		add(g, "%s above its range is refused", f->name);
	}
	g.word[0] = '\0';
	g.change = set_low;
	add(g, "%s of its least value is accepted", f->name);
	g.change = set_high;
	add(g, "%s of its greatest value is accepted", f->name);
}

/* A field of its own for each bit, so that each is a test. */
static void add_bits(struct generated g)
{
	const struct field *set = g.field;

	for (size_t bit = 0; bit < 8 * set->size; bit++) {
		bool is_legal = set->high >> bit & 1;
		struct field *f = malloc(sizeof(*f));

		assert_non_null(f);
		*f = *set;
		f->high = UINT64_C(1) << bit;
		g.field = f;
		g.change = set_high;
		if (is_legal)
			g.word[0] = '\0';
		else
			set_word(&g, set);
		add(g, "%s with bit %zu is %s", f->name, bit, is_legal ? "accepted" : "refused");
	}
}

static void add_text(struct generated g)
{
	const struct field *f = g.field;

	g.change = set_unterminated;
	add(g, "%s without a terminator is refused", f->name);
	if (f->kind != FIELD_TEXT) {
		g.change = set_path;
		add(g, "%s with a slash is refused", f->name);
		g.change = set_dots;
		add(g, "%s that begins with a dot is refused", f->name);
		g.change = set_capital;
		add(g, "%s with a capital is refused", f->name);
	}
	g.change = set_zeros;
	if (f->kind == FIELD_NAME)
		add(g, "%s that is empty is refused", f->name);
	g.word[0] = '\0';
	if (f->kind != FIELD_NAME)
		add(g, "%s that is empty is accepted", f->name);
	g.change = set_longest;
	add(g, "%s of the greatest length is accepted", f->name);
}

static void add_field(struct generated g)
{
	const struct field *f = g.field;

	set_word(&g, f);
	g.code = EPROTO;
	switch (f->kind) {
	case FIELD_ANY:
		g.word[0] = '\0';
		g.change = set_zeros;
		add(g, "%s may be zero", f->name);
		g.change = set_ones;
		add(g, "%s may be all ones", f->name);
		break;
	case FIELD_OTHER:
		break;
	case FIELD_RANGE:
		add_range(g);
		break;
	case FIELD_BITS:
		add_bits(g);
		break;
	case FIELD_ZERO:
		g.change = set_first;
		add(g, "%s not zero in its first byte is refused", f->name);
		g.change = set_last;
		add(g, "%s not zero in its last byte is refused", f->name);
		break;
	case FIELD_TEXT:
	case FIELD_NAME:
	case FIELD_NAME_OR_EMPTY:
		add_text(g);
		break;
	}
}

/* The header's fields have their tests in add_frame(). */
static void every_byte_is_in_one_field(void **state)
{
	const struct generated *g = *state;
	const struct message_rule *rule = rule_of(g);
	size_t next = sizeof(struct message_header);

	for (size_t i = 0; i < g->message->field_count; i++) {
		const struct field *f = &g->message->fields[i];

		if (f->offset != next)
			fail_msg("%s is at %zu, but the fields before it end at %zu", f->name,
				f->offset, next);
		next += f->size;
	}
	assert_int_equal(next, rule->fixed_size);
}

static void every_message_has_its_tests(void **state)
{
	const struct message_protocol *protocol = ((const struct generated *)*state)->protocol;

	for (size_t i = 0; i < protocol->rule_count; i++) {
		size_t found = 0;

		for (size_t j = 0; j < test_count; j++)
			if (tests[j].test_func == every_byte_is_in_one_field &&
				generated[j].message->type == protocol->rules[i].type)
				found++;
		if (found != 1)
			fail_msg("%s is tested %zu times", protocol->rules[i].name, found);
	}
}

static void add_message(const struct message_protocol *protocol, const struct message_case *message)
{
	struct generated g = {.protocol = protocol, .message = message};

	add_frame(g, rule_of(&g));
	for (size_t i = 0; i < message->field_count; i++) {
		g.field = &message->fields[i];
		add_field(g);
	}
	for (size_t i = 0; i < message->variant_count; i++) {
		const struct variant *v = &message->variants[i];

		g = (struct generated){
			.protocol = protocol, .message = message, .variant = v->change};
		snprintf(g.word, sizeof(g.word), "%s", v->word ? v->word : "");
		add(g, "%s is %s", v->name, v->word ? "refused" : "accepted");
	}
	g = (struct generated){.protocol = protocol, .message = message};
	add(g, "every byte is in one field of the test");
	tests[test_count - 1].test_func = every_byte_is_in_one_field;
}

int check_fields_run(const struct message_protocol *protocol, const struct message_case *cases,
	size_t case_count, const struct CMUnitTest *others, size_t other_count)
{
	enum { TESTS_MAX = 4000 };
	struct generated g = {.protocol = protocol, .message = cases};

	generated = calloc(TESTS_MAX, sizeof(*generated));
	tests = calloc(TESTS_MAX, sizeof(*tests));
	if (!generated || !tests)
		return 1;
	for (size_t i = 0; i < case_count; i++)
		add_message(protocol, &cases[i]);
	add(g, "every message of the protocol has its tests");
	tests[test_count - 1].test_func = every_message_has_its_tests;
	for (size_t i = 0; i < other_count; i++)
		tests[test_count++] = others[i];
	return _cmocka_run_group_tests(protocol->name, tests, test_count, NULL, NULL);
}
