/*
 * config.h - INI files read into the embedder's struct by one const table.
 *
 * The table is the only list of what may stand in a file: key, type, range, default, help. Every key
 * has a default. The first thing that is wrong ends the reading, with file, line and what is wanted:
 *
 *   hearth.conf:12: unknown key 'imag' in [pool "base"]: did you mean 'image'?
 *
 * `key = value`, without quotes; ; or # begins a comment line, " ;" a comment behind a value; " #" is
 * refused there. A section stands once (a named one once per name), a key once per section but that
 * of a list. Line ends may be CRLF and a UTF-8 byte order mark may come first; control characters
 * and invalid UTF-8 are refused.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H
#include <stddef.h>
#include <stdint.h>

struct error;

#define CONFIG_FILE_MAX	    (1024 * 1024)
#define CONFIG_LINE_MAX	    190 /* libinih's own buffer is 200 bytes; comments may be longer */
#define CONFIG_NAME_MAX	    63	/* of a named section: [pool "NAME"] */
#define CONFIG_SECTIONS_MAX 128 /* in one file */
#define CONFIG_OPTIONS_MAX  128 /* in one table */

enum config_type {
	CONFIG_STRING,	  /* char[]: any text; min, max: its length in bytes */
	CONFIG_LIST,	  /* likewise; its key may repeat, and each adds to it, after a blank */
	CONFIG_NAME,	  /* char[]: as text_is_name(); "" where that is the default */
	CONFIG_BOOL,	  /* bool: yes, no, true, false, on, off */
	CONFIG_NUMBER,	  /* uint32_t or uint64_t, as are the next three */
	CONFIG_SIZE,	  /* bytes: "256M" */
	CONFIG_DURATION,  /* milliseconds: "250ms", "30s", "5m" */
	CONFIG_MILLI_CPU, /* thousandths of a CPU: "1.5" */
	CONFIG_CHOICE,	  /* an enum: one of choices */
};

struct config_choice {
	const char *name; /* NULL ends the list */
	int value;
};

struct config_option {
	const char *section;
	const char *key;
	enum config_type type;
	size_t offset, size;  /* by CONFIG_FIELD(): in the section's struct */
	uint64_t min, max;    /* in the unit of the type; max 0: what the field holds */
	const char *standard; /* the default, written as in a file; must be valid */
	const struct config_choice *choices;
	const char *help; /* one sentence */
	/* What type and range cannot tell; of a list, all of it so far. 0 or -EINVAL. NULL: nothing. */
	int (*check)(const void *field, struct error *err);
};

/* .offset and .size: { "pool", "min", CONFIG_NUMBER, CONFIG_FIELD(struct pool_section, min), 0, 4096, "8" } */
#define CONFIG_FIELD(type, member)                                                                 \
	.offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

struct config_section {
	const char *name;
	/*
	 * NULL: [name], its fields are in the embedder's struct itself. Else [name "NAME"], which may
	 * repeat: make room for one more element (calloc, or the next of an array), keep its name and
	 * return 0 with *ret_element, or -errno with *err, which gets "FILE:LINE: " put before it.
	 */
	int (*add)(void *config, const char *name, void **ret_element, struct error *err);
};

struct config_schema {
	const struct config_section *sections;
	size_t section_count;
	const struct config_option *options;
	size_t option_count;
};

/*
 * Set all defaults, then read the file at path, which must be a regular one of at most
 * CONFIG_FILE_MAX bytes and not writable by everybody. 0 or -errno: -ENOENT no such file, -EINVAL
 * something in it is wrong. After a failure *config is partly set: use it for nothing but its release.
 */
int config_load(
	const char *path, const struct config_schema *schema, void *config, struct error *err);

/* As config_load() from memory; name stands for the path in messages. */
int config_parse(const char *name, const char *text, size_t size,
	const struct config_schema *schema, void *config, struct error *err);

/*
 * Set the defaults of one section's options in element (for a section without `add`: the config
 * itself): how an embedder makes an element that no file names. 0; -EINVAL when the table is wrong.
 */
int config_set_defaults(
	const struct config_schema *schema, const char *section, void *element, struct error *err);

/*
 * Set one value as if it stood in a file: a command-line option that overrides it. 0 or -EINVAL,
 * with the wanted type and range in *err.
 */
int config_set(const struct config_schema *schema, const char *section, const char *key,
	const char *value, void *element, struct error *err);
#endif
