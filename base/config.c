#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/config_value.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#define LABEL_SIZE (2 * CONFIG_NAME_MAX) /* [pool "base"], for messages */

/*
 * libinih splits lines into key and value. It is fed one line at a time, because it tells neither
 * line numbers nor sections without a key, and silently cuts what is too long: all that is seen here.
 */
struct parser {
	const char *name; /* of the file */
	const struct config_schema *schema;
	void *config;
	struct error *err;
	int result;

	const char *next, *end;
	unsigned line;
	bool awaits_key; /* libinih has a line with a key that it has not told yet */

	const struct config_section *section; /* NULL before the first */
	void *element;
	char label[LABEL_SIZE];
	unsigned key_lines[CONFIG_OPTIONS_MAX]; /* where the section's keys stand; 0: not yet */

	size_t seen_count;
	struct {
		const struct config_section *section;
		char name[CONFIG_NAME_MAX + 1];
		unsigned line;
	} seen[CONFIG_SECTIONS_MAX];
};

/* *best becomes candidate when that is nearer to word than what it was. */
static void consider(const char *word, const char *candidate, const char **best, unsigned *distance)
{
	unsigned d = text_distance(word, candidate);

	if (d < *distance) {
		*distance = d;
		*best = candidate;
	}
}

/* Beyond this many edits a word is another word, not a slip. */
static unsigned slip_limit(const char *word)
{
	return 2 + (unsigned)strlen(word) / 4;
}

static const struct config_section *find_section(
	const struct config_schema *schema, const char *name, struct error *err)
{
	unsigned distance = slip_limit(name);
	const char *best = NULL;

	for (size_t i = 0; i < schema->section_count; i++) {
		if (strcmp(schema->sections[i].name, name) == 0)
			return &schema->sections[i];
		consider(name, schema->sections[i].name, &best, &distance);
	}
	if (best)
		error_set(err, EINVAL, "unknown section [%.63s]: did you mean [%s]?", name, best);
	else
		error_set(err, EINVAL, "unknown section [%.63s]", name);
	return NULL;
}

static const struct config_option *find_option(const struct config_schema *schema,
	const char *section, const char *label, const char *key, struct error *err)
{
	unsigned distance = slip_limit(key);
	const char *best = NULL;

	for (size_t i = 0; i < schema->option_count; i++) {
		const struct config_option *option = &schema->options[i];

		if (strcmp(option->section, section) != 0)
			continue;
		if (strcmp(option->key, key) == 0)
			return option;
		consider(key, option->key, &best, &distance);
	}
	if (best)
		error_set(err, EINVAL, "unknown key '%.63s' in %s: did you mean '%s'?", key, label,
			best);
	else
		error_set(err, EINVAL, "unknown key '%.63s' in %s", key, label);
	return NULL;
}

static int set_option(const struct config_option *option, const char *label, const char *value,
	void *element, struct error *err)
{
	int r = config_value_set(option, value, element, err);

	return r < 0 ? error_prefix(err, r, "%s %s = %.40s", label, option->key, value) : r;
}

int config_set(const struct config_schema *schema, const char *section, const char *key,
	const char *value, void *element, struct error *err)
{
	const struct config_option *option;
	char label[LABEL_SIZE];

	snprintf(label, sizeof(label), "[%s]", section);
	option = find_option(schema, section, label, key, err);
	return option ? set_option(option, label, value, element, err) : -EINVAL;
}

int config_set_defaults(
	const struct config_schema *schema, const char *section, void *element, struct error *err)
{
	for (size_t i = 0; i < schema->option_count; i++) {
		const struct config_option *option = &schema->options[i];
		int r;

		if (strcmp(option->section, section) != 0)
			continue;
		if (option->type == CONFIG_LIST)
			((char *)element)[option->offset] = '\0'; /* what it is added to */
		r = config_set(schema, section, option->key, option->standard, element, err);
		if (r < 0)
			return error_prefix(err, r, "default");
	}
	return 0;
}

/* A section stands once; a named one once per name. */
static int note_section(
	struct parser *p, const struct config_section *section, const char *name, struct error *err)
{
	for (size_t i = 0; i < p->seen_count; i++)
		if (p->seen[i].section == section && strcmp(p->seen[i].name, name) == 0)
			return error_set(err, EINVAL, "%s stands twice, first at line %u", p->label,
				p->seen[i].line);
	if (p->seen_count == CONFIG_SECTIONS_MAX)
		return error_set(err, EINVAL, "more than %d sections", CONFIG_SECTIONS_MAX);
	p->seen[p->seen_count].section = section;
	text_copy(p->seen[p->seen_count].name, sizeof(p->seen[0].name), name);
	p->seen[p->seen_count].line = p->line;
	p->seen_count++;
	return 0;
}

static int enter_section(struct parser *p, const char *word, const char *name, struct error *err)
{
	const struct config_section *section = find_section(p->schema, word, err);
	int r;

	if (!section)
		return -EINVAL;
	if (!section->add && name)
		return error_set(err, EINVAL, "section [%s] takes no name", word);
	if (section->add && !name)
		return error_set(
			err, EINVAL, "section [%s] needs a name: [%s \"NAME\"]", word, word);
	if (name && !text_is_name(name, CONFIG_NAME_MAX))
		return error_set(err, EINVAL,
			"[%s \"%.63s\"]: want a name: 1 to %d of a-z 0-9 . _ -, a letter or digit "
			"first",
			word, name, CONFIG_NAME_MAX);
	if (name)
		snprintf(p->label, sizeof(p->label), "[%s \"%s\"]", word, name);
	else
		snprintf(p->label, sizeof(p->label), "[%s]", word);
	r = note_section(p, section, name ? name : "", err);
	if (r < 0)
		return r;
	p->section = section;
	p->element = p->config;
	memset(p->key_lines, 0, sizeof(p->key_lines));
	if (!section->add)
		return 0;
	r = section->add(p->config, name, &p->element, err);
	return r < 0 ? r : config_set_defaults(p->schema, word, p->element, err);
}

/* Nothing but blanks, up to the end or one of these characters. */
static bool is_rest_blank(const char *rest, const char *ends)
{
	rest += strspn(rest, " \t");
	return rest[0] == '\0' || strchr(ends, rest[0]);
}

/* `[word]` or `[word "name"]`, perhaps with a comment behind it. line is changed. */
static int parse_section(struct parser *p, char *line, struct error *err)
{
	char *close = strchr(line, ']'), *word = line + 1, *name;
	size_t word_size;

	if (!close || !is_rest_blank(close + 1, ";#"))
		return error_set(err, EINVAL, "want [SECTION] or [SECTION \"NAME\"]");
	*close = '\0';
	word += strspn(word, " \t");
	word_size = strcspn(word, " \t\"");
	name = word + word_size + strspn(word + word_size, " \t");
	if (name[0] == '\0') {
		word[word_size] = '\0';
		return enter_section(p, word, NULL, err);
	}
	close = name[0] == '"' ? strchr(name + 1, '"') : NULL;
	if (!close || !is_rest_blank(close + 1, ""))
		return error_set(err, EINVAL, "want [SECTION] or [SECTION \"NAME\"]");
	*close = '\0';
	word[word_size] = '\0'; /* perhaps the opening quote */
	return enter_section(p, word, name + 1, err);
}

static int set_key(struct parser *p, const char *key, const char *value, struct error *err)
{
	const struct config_option *option;
	unsigned *key_line;

	if (!p->section)
		return error_set(err, EINVAL, "key '%.63s' before the first [SECTION]", key);
	option = find_option(p->schema, p->section->name, p->label, key, err);
	if (!option)
		return -EINVAL;
	key_line = &p->key_lines[option - p->schema->options];
	if (*key_line > 0 && option->type != CONFIG_LIST)
		return error_set(err, EINVAL, "key '%s' stands twice in %s, first at line %u", key,
			p->label, *key_line);
	*key_line = p->line;
	return set_option(option, p->label, value, p->element, err);
}

static int fail(struct parser *p, int r)
{
	p->result = error_prefix(p->err, r, "%s:%u", p->name, p->line);
	return r;
}

/* libinih has found a key and its value in the line that it was given. */
static int on_key(void *arg, const char *section, const char *key, const char *value)
{
	struct parser *p = arg;
	int r;

	(void)section;
	p->awaits_key = false;
	r = set_key(p, key, value, p->err);
	if (r < 0)
		fail(p, r);
	return r == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r'; /* CR: the line end is CRLF */
}

/* The length of what stands between blanks in [*start, end), to which *start moves. */
static size_t trim(const char **start, const char *end)
{
	while (*start < end && is_blank(**start))
		(*start)++;
	while (end > *start && is_blank(end[-1]))
		end--;
	return (size_t)(end - *start);
}

static int check_bytes(const char *text, size_t length, struct error *err)
{
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
			return error_set(err, EINVAL, "control character 0x%02x", text[i]);
	if (!text_is_utf8(text, length))
		return error_set(err, EINVAL, "invalid UTF-8");
	return 0;
}

/* The next line without blanks around it; comments and sections end here, as empty lines. */
static int next_line(struct parser *p, char *line, size_t size, struct error *err)
{
	const char *start = p->next;
	const char *newline = memchr(start, '\n', (size_t)(p->end - start));
	size_t length;
	int r;

	p->next = newline ? newline + 1 : p->end;
	p->line++;
	line[0] = '\0';
	length = trim(&start, newline ? newline : p->end);
	r = check_bytes(start, length, err);
	if (r < 0)
		return r;
	if (length == 0 || start[0] == ';' || start[0] == '#')
		return 0;
	if (length > CONFIG_LINE_MAX || length + sizeof("\n") > size)
		return error_set(err, EINVAL, "line longer than %d bytes", CONFIG_LINE_MAX);
	memcpy(line, start, length);
	line[length] = '\0';
	if (line[0] == '[') {
		r = parse_section(p, line, err);
		line[0] = '\0';
		return r;
	}
	p->awaits_key = true;
	return 0;
}

/* fgets() for libinih. */
static char *on_read(char *buffer, int size, void *arg)
{
	struct parser *p = arg;
	int r;

	if (p->result < 0)
		return NULL;
	if (p->awaits_key) {
		fail(p, error_set(p->err, EINVAL, "want 'key = value'"));
		return NULL;
	}
	if (p->next == p->end)
		return NULL;
	r = next_line(p, buffer, (size_t)size, p->err);
	if (r < 0) {
		fail(p, r);
		return NULL;
	}
	strcat(buffer, "\n");
	return buffer;
}

/* One struct serves as the stream and as the handler's argument. */
static int parse_text(struct parser *p)
{
	int r = ini_parse_stream(on_read, p, on_key, p);

	if (p->result < 0)
		return p->result;
	if (r < 0)
		return error_set(p->err, ENOMEM, "%s: out of memory", p->name);
	return 0;
}

int config_parse(const char *name, const char *text, size_t size,
	const struct config_schema *schema, void *config, struct error *err)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	struct parser p = {
		.name = name, .schema = schema, .config = config, .err = err, .next = text};

	p.end = text + size;
	if (size >= 3 && memcmp(text, byte_order_mark, 3) == 0)
		p.next += 3;
	if (size > CONFIG_FILE_MAX)
		return error_set(err, EFBIG, "%s: larger than 1 MiB", name);
	if (schema->option_count > CONFIG_OPTIONS_MAX)
		return error_set(err, EINVAL, "more than %d options", CONFIG_OPTIONS_MAX);
	for (size_t i = 0; i < schema->section_count; i++) {
		const struct config_section *section = &schema->sections[i];
		int r = section->add ? 0 : config_set_defaults(schema, section->name, config, err);

		if (r < 0)
			return r;
	}
	return parse_text(&p);
}

int config_load(
	const char *path, const struct config_schema *schema, void *config, struct error *err)
{
	/* A FIFO must not make us wait for its writer, a terminal not become ours. */
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	auto_free char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return error_errno(err, "open %s", path);
	if (fstat(fd, &st) < 0)
		return error_errno(err, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "%s: not a regular file", path);
	if (st.st_mode & S_IWOTH)
		return error_set(err, EPERM, "%s: everybody may write it: chmod o-w it", path);
	text = malloc(CONFIG_FILE_MAX + 1);
	if (!text)
		return error_set(err, ENOMEM, "%s: out of memory", path);
	n = fd_read_full(fd, text, CONFIG_FILE_MAX + 1);
	if (n < 0)
		return error_set(err, (int)-n, "read %s: %s", path, strerror((int)-n));
	return config_parse(path, text, (size_t)n, schema, config, err);
}
