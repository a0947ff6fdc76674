/* config.h: each kind of mistake, with the line and the words that it is told in. */
#include "tests/unit/config_fixture.h"

static void unknown_key_names_line_and_nearest(void **state)
{
	refused(*state, "[daemon]\n\n[pool \"base\"]\nmin = 2\nimag = x\n",
		"hearth.conf:5: unknown key 'imag' in [pool \"base\"]: did you mean 'image'?");
}

static void unknown_key_like_no_other_gets_no_guess(void **state)
{
	refused(*state, "[pool \"base\"]\nzzzzzzzz = 1\n",
		"hearth.conf:2: unknown key 'zzzzzzzz' in [pool \"base\"]");
}

static void key_of_another_section_is_unknown(void **state)
{
	refused(*state, "[daemon]\nmin = 1\n", "hearth.conf:2: unknown key 'min' in [daemon]");
}

static void unknown_section_names_line_and_nearest(void **state)
{
	refused(*state, "[poll \"a\"]\n",
		"hearth.conf:1: unknown section [poll]: did you mean [pool]?");
}

static void unknown_section_like_no_other_gets_no_guess(void **state)
{
	refused(*state, "\n[zzzzzzzzz]\n", "hearth.conf:2: unknown section [zzzzzzzzz]");
}

static void section_names_are_never_cut(void **state)
{
	refused(*state, "[daemonxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]\n",
		"hearth.conf:1: unknown section "
		"[daemonxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]");
}

static void wrong_type_names_line_value_and_what_is_wanted(void **state)
{
	refused(*state, "[pool \"a\"]\nmin = many\n",
		"hearth.conf:2: [pool \"a\"] min = many: want a whole number from 0 to 4096");
}

static void hash_behind_a_value_is_no_comment_and_refused(void **state)
{
	refused(*state, "[daemon]\nname = x # fast\n",
		"hearth.conf:2: [daemon] name = x # fast: a comment behind a value begins with ;, "
		"not with #");
	refused(*state, "[daemon]\nname = x\t#\n",
		"hearth.conf:2: [daemon] name = x\t#: a comment behind a value begins with ;, "
		"not with #");
	refused(*state, "[daemon]\nname = # x\n",
		"hearth.conf:2: [daemon] name = # x: a comment behind a value begins with ;, "
		"not with #");
}

static void value_out_of_range_names_the_range(void **state)
{
	refused(*state, "[daemon]\nmemory = 1K\n",
		"hearth.conf:2: [daemon] memory = 1K: want a size from 4K to 1T, as 256M");
}

static void duplicate_key_names_both_lines(void **state)
{
	refused(*state, "[daemon]\nname = a\nverbose = no\nname = a\n",
		"hearth.conf:4: key 'name' stands twice in [daemon], first at line 2");
}

static void duplicate_section_names_both_lines(void **state)
{
	refused(*state, "[daemon]\n\n[pool \"a\"]\n[daemon]\n",
		"hearth.conf:4: [daemon] stands twice, first at line 1");
}

static void duplicate_named_section_names_both_lines(void **state)
{
	refused(*state, "[pool \"a\"]\n[pool \"b\"]\n[pool \"a\"]\n",
		"hearth.conf:3: [pool \"a\"] stands twice, first at line 1");
}

static void named_section_needs_its_name(void **state)
{
	refused(*state, "[pool]\n", "hearth.conf:1: section [pool] needs a name: [pool \"NAME\"]");
}

static void plain_section_takes_no_name(void **state)
{
	refused(*state, "[daemon \"x\"]\n", "hearth.conf:1: section [daemon] takes no name");
}

static void section_name_must_be_a_name(void **state)
{
	refused(*state, "[pool \"../x\"]\n",
		"hearth.conf:1: [pool \"../x\"]: want a name: 1 to 63 of a-z 0-9 . _ -, a letter "
		"or digit first");
}

static void empty_section_name_is_refused(void **state)
{
	refused(*state, "[pool \"\"]\n",
		"hearth.conf:1: [pool \"\"]: want a name: 1 to 63 of a-z 0-9 . _ -, a letter or "
		"digit first");
}

static void section_name_without_quotes_is_refused(void **state)
{
	refused(*state, "[pool base]\n", "hearth.conf:1: want [SECTION] or [SECTION \"NAME\"]");
}

static void section_name_without_its_second_quote_is_refused(void **state)
{
	refused(*state, "[pool \"base]\n", "hearth.conf:1: want [SECTION] or [SECTION \"NAME\"]");
}

static void section_without_its_bracket_is_refused(void **state)
{
	refused(*state, "[daemon\nname = x\n",
		"hearth.conf:1: want [SECTION] or [SECTION \"NAME\"]");
}

static void text_behind_a_section_is_refused(void **state)
{
	refused(*state, "[daemon] name = x\n",
		"hearth.conf:1: want [SECTION] or [SECTION \"NAME\"]");
}

static void key_before_the_first_section_is_refused(void **state)
{
	refused(*state, "name = x\n", "hearth.conf:1: key 'name' before the first [SECTION]");
}

static void line_without_equals_sign_is_refused(void **state)
{
	refused(*state, "[daemon]\nverbose\nname = x\n", "hearth.conf:2: want 'key = value'");
}

static void last_line_without_equals_sign_is_refused(void **state)
{
	refused(*state, "[daemon]\nverbose", "hearth.conf:2: want 'key = value'");
}

static void line_without_a_key_is_refused(void **state)
{
	refused(*state, "[daemon]\n = x\n", "hearth.conf:2: unknown key '' in [daemon]");
}

static void first_of_several_errors_is_told(void **state)
{
	refused(*state, "[daemon]\nverbose\nfoo = 1\n[nope\n", "hearth.conf:2: want 'key = value'");
}

static void longest_line_is_accepted_and_one_byte_more_refused(void **state)
{
	struct fixture *f = *state;
	char text[400], line[200];

	memset(line, ' ', sizeof(line));
	memcpy(line, "name =", 6);
	line[CONFIG_LINE_MAX - 1] = 'x';
	line[CONFIG_LINE_MAX] = '\0';
	snprintf(text, sizeof(text), "[daemon]\n  %s  \nverbose = yes\n", line);
	accepted(f, text);
	assert_string_equal(f->daemon.name, "x");
	assert_true(f->daemon.verbose);

	strcat(line, "x");
	snprintf(text, sizeof(text), "[daemon]\n%s\n", line);
	refused(f, text, "hearth.conf:2: line longer than 190 bytes");
}

static void nul_byte_is_refused(void **state)
{
	static const char text[] = "[daemon]\nname = a\0b\n";
	struct fixture *f = *state;

	assert_int_equal(parse_bytes(f, text, sizeof(text) - 1), -EINVAL);
	assert_string_equal(f->err.text, "hearth.conf:2: control character 0x00");
}

static void nul_byte_at_the_end_of_a_line_is_refused(void **state)
{
	static const char text[] = "[daemon]\nname = a\0\n";
	struct fixture *f = *state;

	assert_int_equal(parse_bytes(f, text, sizeof(text) - 1), -EINVAL);
	assert_string_equal(f->err.text, "hearth.conf:2: control character 0x00");
}

static void control_character_is_refused(void **state)
{
	refused(*state, "[daemon]\n# \x1b[2J\n", "hearth.conf:2: control character 0x1b");
}

static void invalid_utf8_is_refused(void **state)
{
	refused(*state, "[daemon]\nname = \xff\n", "hearth.conf:2: invalid UTF-8");
}

static void more_sections_than_the_limit_are_refused(void **state)
{
	struct fixture *f = *state;
	char text[8192];
	size_t used = 0;

	for (int i = 0; i <= CONFIG_SECTIONS_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "[pool \"p%d\"]\n", i);
	refused(f, text, "hearth.conf:129: more than 128 sections");
	assert_int_equal(f->pool_count, CONFIG_SECTIONS_MAX);
}

static void refusal_of_a_section_by_the_embedder_is_told_with_its_line(void **state)
{
	struct fixture *f = *state;
	const char *text = "[daemon]\n[pool \"forbidden\"]\n";

	assert_int_equal(parse_bytes(f, text, strlen(text)), -EACCES);
	assert_string_equal(f->err.text, "hearth.conf:2: this pool is forbidden");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(unknown_key_names_line_and_nearest),
		T(unknown_key_like_no_other_gets_no_guess),
		T(key_of_another_section_is_unknown),
		T(unknown_section_names_line_and_nearest),
		T(unknown_section_like_no_other_gets_no_guess),
		T(section_names_are_never_cut),
		T(wrong_type_names_line_value_and_what_is_wanted),
		T(hash_behind_a_value_is_no_comment_and_refused),
		T(value_out_of_range_names_the_range),
		T(duplicate_key_names_both_lines),
		T(duplicate_section_names_both_lines),
		T(duplicate_named_section_names_both_lines),
		T(named_section_needs_its_name),
		T(plain_section_takes_no_name),
		T(section_name_must_be_a_name),
		T(empty_section_name_is_refused),
		T(section_name_without_quotes_is_refused),
		T(section_name_without_its_second_quote_is_refused),
		T(section_without_its_bracket_is_refused),
		T(text_behind_a_section_is_refused),
		T(key_before_the_first_section_is_refused),
		T(line_without_equals_sign_is_refused),
		T(last_line_without_equals_sign_is_refused),
		T(line_without_a_key_is_refused),
		T(first_of_several_errors_is_told),
		T(longest_line_is_accepted_and_one_byte_more_refused),
		T(nul_byte_is_refused),
		T(nul_byte_at_the_end_of_a_line_is_refused),
		T(control_character_is_refused),
		T(invalid_utf8_is_refused),
		T(more_sections_than_the_limit_are_refused),
		T(refusal_of_a_section_by_the_embedder_is_told_with_its_line),
	};

	return cmocka_run_group_tests_name("base/config, refusals", tests, NULL, NULL);
}
