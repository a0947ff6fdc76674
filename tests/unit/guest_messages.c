/* Every field and every payload of every message of a sandbox's channel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "proto/control.h"
#include "proto/guest.h"
#include "tests/unit/check_fields.h"

static void append_string(struct packet *packet, const char *string)
{
	packet_append(packet, string, strlen(string) + 1);
}

static struct guest_exec *exec_of(struct packet *packet)
{
	return (void *)packet->bytes;
}

static void fill_exec(struct packet *packet)
{
	struct guest_exec *m = exec_of(packet);

	m->flags = GUEST_EXEC_STDIN | GUEST_EXEC_PTY;
	m->argc = 2;
	m->envc = 1;
	m->timeout_ms = 120000;
	m->rows = 24;
	m->columns = 80;
	m->output_max = 1u << 20;
	append_string(packet, "echo");
	append_string(packet, "");
	append_string(packet, "A=1");
	append_string(packet, "/work");
}

static const struct field exec_fields[] = {
	OTHER(guest_exec, flags), /* not all of them together */
	OTHER(guest_exec, argc),  /* as many as the payload has */
	OTHER(guest_exec, envc),
	RANGE(guest_exec, timeout_ms, 0, GUEST_TIMEOUT_MAX),
	RANGE(guest_exec, rows, 0, GUEST_WINDOW_MAX),
	RANGE(guest_exec, columns, 0, GUEST_WINDOW_MAX),
	ZERO(guest_exec, reserved),
	ANY(guest_exec, output_max),
};

static void refill_exec(struct packet *packet, uint32_t argc, uint32_t envc)
{
	packet->size = sizeof(struct guest_exec);
	exec_of(packet)->argc = argc;
	exec_of(packet)->envc = envc;
	for (uint32_t i = 0; i < argc; i++)
		append_string(packet, "x");
	for (uint32_t i = 0; i < envc; i++)
		append_string(packet, "A=");
	append_string(packet, "");
}

static void with_flags(struct packet *packet, uint32_t flags, uint64_t output_max)
{
	exec_of(packet)->flags = flags;
	exec_of(packet)->output_max = output_max;
}

static void every_flag_of_streams(struct packet *packet)
{
	with_flags(packet, GUEST_EXEC_STDIN | GUEST_EXEC_PTY | GUEST_EXEC_ENV_ONLY, 1);
}

static void every_fd_passed(struct packet *packet)
{
	with_flags(packet,
		GUEST_EXEC_FD_STDIN | GUEST_EXEC_FD_STDOUT | GUEST_EXEC_FD_STDERR |
			GUEST_EXEC_ENV_ONLY,
		0);
}

static void stdin_passed_and_output_limited(struct packet *packet)
{
	with_flags(packet, GUEST_EXEC_FD_STDIN, 1);
}

static void stdin_streamed_and_stdout_passed(struct packet *packet)
{
	with_flags(packet, GUEST_EXEC_STDIN | GUEST_EXEC_FD_STDOUT, 0);
}

static void unknown_flag(struct packet *packet)
{
	with_flags(packet, 1u << 6, 0);
}

static void terminal_and_stdin_passed(struct packet *packet)
{
	with_flags(packet, GUEST_EXEC_PTY | GUEST_EXEC_FD_STDIN, 0);
}

static void terminal_and_stderr_passed(struct packet *packet)
{
	with_flags(packet, GUEST_EXEC_PTY | GUEST_EXEC_FD_STDERR, 0);
}

static void stdin_streamed_and_passed(struct packet *packet)
{
	with_flags(packet, GUEST_EXEC_STDIN | GUEST_EXEC_FD_STDIN, 0);
}

static void stdout_passed_and_limited(struct packet *packet)
{
	with_flags(packet, GUEST_EXEC_FD_STDOUT, 1);
}

static void stderr_passed_and_limited(struct packet *packet)
{
	with_flags(packet, GUEST_EXEC_FD_STDERR, 1);
}

static void no_argument(struct packet *packet)
{
	refill_exec(packet, 0, 1);
}

static void most_arguments(struct packet *packet)
{
	refill_exec(packet, GUEST_STRINGS_MAX, 0);
}

static void too_many_arguments(struct packet *packet)
{
	refill_exec(packet, GUEST_STRINGS_MAX + 1, 0);
}

static void most_variables(struct packet *packet)
{
	refill_exec(packet, 1, GUEST_STRINGS_MAX);
}

static void too_many_variables(struct packet *packet)
{
	refill_exec(packet, 1, GUEST_STRINGS_MAX + 1);
}

static void counts_that_overflow(struct packet *packet)
{
	exec_of(packet)->argc = UINT32_MAX;
	exec_of(packet)->envc = 3;
}

static void largest_payload(struct packet *packet)
{
	size_t end = sizeof(struct guest_exec) + GUEST_ARGUMENTS_MAX;

	packet->size = sizeof(struct guest_exec);
	exec_of(packet)->argc = 1;
	exec_of(packet)->envc = 0;
	memset(packet->bytes + packet->size, 'x', GUEST_ARGUMENTS_MAX);
	packet->bytes[end - 2] = '\0'; /* of argv[0]; then an empty cwd */
	packet->bytes[end - 1] = '\0';
	packet->size = (uint32_t)end;
}

static void argc_of_more_than_it_has(struct packet *packet)
{
	exec_of(packet)->argc++;
}

static void argc_of_less_than_it_has(struct packet *packet)
{
	exec_of(packet)->argc--;
}

static void envc_of_more_than_it_has(struct packet *packet)
{
	exec_of(packet)->envc++;
}

static void envc_of_less_than_it_has(struct packet *packet)
{
	exec_of(packet)->envc--;
}

static void no_payload(struct packet *packet)
{
	packet->size = sizeof(struct guest_exec);
}

static void no_terminator(struct packet *packet)
{
	packet->size--;
}

static void one_string_more(struct packet *packet)
{
	append_string(packet, "");
}

static void change_variable(struct packet *packet, const char *variable)
{
	packet->size = sizeof(struct guest_exec);
	append_string(packet, "echo");
	append_string(packet, "");
	append_string(packet, variable);
	append_string(packet, "");
}

static void variable_without_value(struct packet *packet)
{
	change_variable(packet, "A");
}

static void variable_without_name(struct packet *packet)
{
	change_variable(packet, "=1");
}

static void variable_of_empty_value(struct packet *packet)
{
	change_variable(packet, "A=");
}

static const struct variant exec_variants[] = {
	{"every flag of streams", every_flag_of_streams, NULL},
	{"every fd passed", every_fd_passed, NULL},
	{"stdin passed and output limited", stdin_passed_and_output_limited, NULL},
	{"stdin streamed and stdout passed", stdin_streamed_and_stdout_passed, NULL},
	{"an unknown flag", unknown_flag, "flags"},
	{"a terminal and stdin passed", terminal_and_stdin_passed, "flags: a terminal"},
	{"a terminal and stderr passed", terminal_and_stderr_passed, "flags: a terminal"},
	{"stdin streamed and passed", stdin_streamed_and_passed, "flags: stdin"},
	{"stdout passed and limited", stdout_passed_and_limited, "output_max"},
	{"stderr passed and limited", stderr_passed_and_limited, "output_max"},
	{"argc of one more than it has", argc_of_more_than_it_has, "payload: 4 strings"},
	{"argc of one less than it has", argc_of_less_than_it_has, "behind the last string"},
	{"envc of one more than it has", envc_of_more_than_it_has, "payload: 4 strings"},
	{"envc of one less than it has", envc_of_less_than_it_has, "behind the last string"},
	{"no argument", no_argument, "argc"},
	{"the greatest number of arguments", most_arguments, NULL},
	{"one argument too many", too_many_arguments, "argc"},
	{"the greatest number of variables", most_variables, NULL},
	{"one variable too many", too_many_variables, "envc"},
	{"a number of strings that overflows", counts_that_overflow, "argc"},
	{"the largest payload", largest_payload, NULL},
	{"no payload", no_payload, "payload: 0 strings"},
	{"a last string without terminator", no_terminator, "payload: 3 strings"},
	{"one string more than it says", one_string_more, "behind the last string"},
	{"a variable without =", variable_without_value, "variable 0"},
	{"a variable without a name", variable_without_name, "variable 0"},
	{"a variable of empty value", variable_of_empty_value, NULL},
};

static void fill_path(struct packet *packet)
{
	append_string(packet, "/etc/passwd");
}

static void fill_read(struct packet *packet)
{
	((struct guest_file *)(void *)packet->bytes)->offset = 1;
	fill_path(packet);
}

static void fill_glob(struct packet *packet)
{
	fill_path(packet);
	append_string(packet, "**/*.c");
}

static void fill_grep(struct packet *packet)
{
	fill_glob(packet);
	append_string(packet, "");
}

#define FILE_FIELDS(flags_)                                                                        \
	BITS(guest_file, flags, flags_), RANGE(guest_file, timeout_ms, 0, GUEST_TIMEOUT_MAX),      \
		ANY(guest_file, offset), ANY(guest_file, length),                                  \
		RANGE(guest_file, max_bytes, 0, GUEST_FILE_MAX)

static const struct field read_fields[] = {FILE_FIELDS(GUEST_FILE_LINES)};
static const struct field write_fields[] = {FILE_FIELDS(0)};
static const struct field edit_fields[] = {FILE_FIELDS(GUEST_FILE_ALL)};
static const struct field stat_fields[] = {FILE_FIELDS(GUEST_FILE_FOLLOW)};
static const struct field list_fields[] = {FILE_FIELDS(0)};
static const struct field glob_fields[] = {FILE_FIELDS(GUEST_FILE_HIDDEN | GUEST_FILE_NO_IGNORE)};
static const struct field grep_fields[] = {
	FILE_FIELDS(GUEST_FILE_ICASE | GUEST_FILE_FILES | GUEST_FILE_COUNT)};

static void lines_from(struct packet *packet, uint64_t first)
{
	struct guest_file *m = (void *)packet->bytes;

	m->flags = GUEST_FILE_LINES;
	m->offset = first;
}

static void lines_from_the_first(struct packet *packet)
{
	lines_from(packet, 1);
}

static void lines_from_zero(struct packet *packet)
{
	lines_from(packet, 0);
}

static void no_string(struct packet *packet)
{
	packet->size = sizeof(struct guest_file);
}

static void one_string_less(struct packet *packet)
{
	do
		packet->size--;
	while (packet->size > sizeof(struct guest_file) && packet->bytes[packet->size - 1] != '\0');
}

#define FILE_VARIANTS                                                                              \
	{"no string", no_string, "payload: 0 strings"},                                            \
		{"one string less", one_string_less, "payload"},                                   \
		{"one string more", one_string_more, "behind the last string"},                    \
	{                                                                                          \
		"a last string without terminator", no_terminator, "terminated"                    \
	}

static const struct variant read_variants[] = {
	FILE_VARIANTS,
	{"lines from the first", lines_from_the_first, NULL},
	{"lines from line zero", lines_from_zero, "offset"},
};
static const struct variant file_variants[] = {FILE_VARIANTS};

static void fill_input(struct packet *packet)
{
	packet_append(packet, "data", 4);
}

static const struct field input_fields[] = {
	RANGE(guest_input, is_end, 0, 1),
	ZERO(guest_input, reserved),
};

static void empty_input(struct packet *packet)
{
	packet->size = sizeof(struct guest_input);
}

static void full_chunk(struct packet *packet)
{
	packet->size = sizeof(struct guest_input) + GUEST_CHUNK_MAX;
}

static const struct variant input_variants[] = {
	{"an empty payload", empty_input, NULL},
	{"a full chunk", full_chunk, NULL},
};

static void fill_signal(struct packet *packet)
{
	((struct guest_signal *)(void *)packet->bytes)->signal = 15;
}

static const struct field signal_fields[] = {
	RANGE(guest_signal, signal, 1, 64),
	ZERO(guest_signal, reserved),
};

static void fill_resize(struct packet *packet)
{
	struct guest_resize *m = (void *)packet->bytes;

	m->rows = 50;
	m->columns = 132;
}

static const struct field resize_fields[] = {
	RANGE(guest_resize, rows, 1, GUEST_WINDOW_MAX),
	RANGE(guest_resize, columns, 1, GUEST_WINDOW_MAX),
	ZERO(guest_resize, reserved),
};

static void fill_output(struct packet *packet)
{
	((struct guest_output *)(void *)packet->bytes)->stream = GUEST_STDERR;
	packet_append(packet, "data", 4);
}

static const struct field output_fields[] = {
	RANGE(guest_output, stream, GUEST_STDOUT, GUEST_DATA),
	ZERO(guest_output, reserved),
};

static void empty_output(struct packet *packet)
{
	packet->size = sizeof(struct guest_output);
}

static const struct variant output_variants[] = {
	{"an empty payload", empty_output, "payload: empty"},
	{"a full chunk", full_chunk, NULL},
};

static void fill_credit(struct packet *packet)
{
	((struct guest_credit *)(void *)packet->bytes)->bytes = 4096;
}

static const struct field credit_fields[] = {
	RANGE(guest_credit, bytes, 1, GUEST_INPUT_CREDIT),
	ZERO(guest_credit, reserved),
};

static struct guest_reply *reply_of(struct packet *packet)
{
	return (void *)packet->bytes;
}

static void fill_reply(struct packet *packet)
{
	reply_of(packet)->end = GUEST_END_DONE;
	reply_of(packet)->wall_ns = 1000;
}

static const struct field reply_fields[] = {
	RANGE(guest_reply, end, GUEST_END_DONE, GUEST_END_CANCELLED), /* FAILED wants an error */
	RANGE(guest_reply, error, 0, 0),
	RANGE(guest_reply, exit_status, 0, 255),
	RANGE(guest_reply, signal, 0, 64),
	BITS(guest_reply, limits_hit, LIMIT_HIT_ALL),
	ZERO(guest_reply, reserved),
	ANY(guest_reply, count),
	ANY(guest_reply, total),
	ANY(guest_reply, wall_ns),
	ANY(guest_reply, user_us),
	ANY(guest_reply, system_us),
	ANY(guest_reply, max_rss_bytes),
	ANY(guest_reply, read_bytes),
	ANY(guest_reply, write_bytes),
	ANY(guest_reply, major_faults),
	ANY(guest_reply, stdout_bytes),
	ANY(guest_reply, stderr_bytes),
	TEXT(guest_reply, text),
};

static void failed(struct packet *packet, uint32_t error)
{
	reply_of(packet)->end = GUEST_END_FAILED;
	reply_of(packet)->error = error;
}

static void failed_without_error(struct packet *packet)
{
	failed(packet, 0);
}

static void failed_for_the_first_reason(struct packet *packet)
{
	failed(packet, 1);
}

static void failed_for_the_last_reason(struct packet *packet)
{
	failed(packet, 4095);
}

static void failed_for_no_reason_of_the_kernel(struct packet *packet)
{
	failed(packet, 4096);
}

static void lost(struct packet *packet)
{
	reply_of(packet)->end = GUEST_END_LOST;
}

static const struct variant reply_variants[] = {
	{"FAILED without an error", failed_without_error, "error"},
	{"FAILED with error 1", failed_for_the_first_reason, NULL},
	{"FAILED with error 4095", failed_for_the_last_reason, NULL},
	{"FAILED with error 4096", failed_for_no_reason_of_the_kernel, "error"},
	{"LOST, which only the client's library makes,", lost, "end"},
};

#define CASE(type_, fill_, fields_)                                                                \
	.type = GUEST_##type_, .fill = (fill_), .fields = (fields_),                               \
	.field_count = ARRAY_SIZE(fields_)
#define VARIANTS(variants_) .variants = (variants_), .variant_count = ARRAY_SIZE(variants_)

static const struct message_case cases[] = {
	{CASE(EXEC, fill_exec, exec_fields), VARIANTS(exec_variants)},
	{CASE(READ, fill_read, read_fields), VARIANTS(read_variants)},
	{CASE(WRITE, fill_path, write_fields), VARIANTS(file_variants)},
	{CASE(EDIT, fill_path, edit_fields), VARIANTS(file_variants)},
	{CASE(STAT, fill_path, stat_fields), VARIANTS(file_variants)},
	{CASE(LIST, fill_path, list_fields), VARIANTS(file_variants)},
	{CASE(GLOB, fill_glob, glob_fields), VARIANTS(file_variants)},
	{CASE(GREP, fill_grep, grep_fields), VARIANTS(file_variants)},
	{CASE(INPUT, fill_input, input_fields), VARIANTS(input_variants)},
	{CASE(SIGNAL, fill_signal, signal_fields)},
	{CASE(RESIZE, fill_resize, resize_fields)},
	{.type = GUEST_CANCEL},
	{CASE(OUTPUT, fill_output, output_fields), VARIANTS(output_variants)},
	{CASE(CREDIT, fill_credit, credit_fields)},
	{CASE(REPLY, fill_reply, reply_fields), VARIANTS(reply_variants)},
};

static void strings_of_a_payload_come_in_order(void **state)
{
	static const char payload[] = "one\0\0three";
	const char *at = payload;
	const char *end = payload + sizeof(payload);

	(void)state;
	assert_string_equal(guest_next_string(&at, end), "one");
	assert_string_equal(guest_next_string(&at, end), "");
	assert_string_equal(guest_next_string(&at, end), "three");
	assert_null(guest_next_string(&at, end));
	assert_null(guest_next_string(&at, end));
}

static void no_message_is_larger_than_the_packet_maximum(void **state)
{
	(void)state;
	for (size_t i = 0; i < guest_protocol.rule_count; i++)
		assert_true(
			guest_protocol.rules[i].fixed_size + guest_protocol.rules[i].payload_max <=
			GUEST_PACKET_MAX);
}

static void header_carries_what_was_given(void **state)
{
	struct message_header h;

	(void)state;
	memset(&h, 0xff, sizeof(h));
	guest_header(&h, GUEST_CANCEL, 16, 5);
	assert_int_equal(h.version, GUEST_VERSION);
	assert_int_equal(h.type, GUEST_CANCEL);
	assert_int_equal(h.size, 16);
	assert_int_equal(h.id, 5);
	assert_int_equal(h.reserved, 0);
}

static void page_for_clients_tells_where_each_field_is(void **state)
{
	(void)state;
	check_fields_in_page(&guest_protocol, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(strings_of_a_payload_come_in_order),
		cmocka_unit_test(no_message_is_larger_than_the_packet_maximum),
		cmocka_unit_test(header_carries_what_was_given),
		cmocka_unit_test(page_for_clients_tells_where_each_field_is),
	};

	return check_fields_run(
		&guest_protocol, cases, ARRAY_SIZE(cases), others, ARRAY_SIZE(others));
}
