#include "supervisor/egress.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"
#include "base/text.h"
#include "nsjail-lite/network/network_link.h"

#define SEPARATORS " \t,"
#define WORD_MAX   256

/* The next word of *list, which moves behind it. 1; 0: there is none; -EINVAL: it is too long for anything. */
static int next_word(const char **list, char word[static WORD_MAX], struct error *err)
{
	size_t length;

	*list += strspn(*list, SEPARATORS);
	length = strcspn(*list, SEPARATORS);
	if (length >= WORD_MAX)
		return error_set(err, EINVAL, "'%.40s...': too long", *list);
	memcpy(word, *list, length);
	word[length] = '\0';
	*list += length;
	return length > 0;
}

static uint32_t mask_of(uint32_t prefix)
{
	return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

static int parse_address(const char *text, uint32_t *ret_address, struct error *err)
{
	struct in_addr address;

	if (strchr(text, ':'))
		return error_set(err, EINVAL, "'%.64s': IPv6 is off in sandboxes: want IPv4", text);
	if (inet_pton(AF_INET, text, &address) != 1)
		return error_set(err, EINVAL, "'%.64s': want an IPv4 address", text);
	*ret_address = ntohl(address.s_addr);
	return 0;
}

const char *egress_format_cidr(
	const struct network_cidr *cidr, char buffer[static EGRESS_ADDRESS_MAX])
{
	snprintf(buffer, EGRESS_ADDRESS_MAX, "%u.%u.%u.%u/%u", cidr->address >> 24,
		cidr->address >> 16 & 0xff, cidr->address >> 8 & 0xff, cidr->address & 0xff,
		cidr->prefix & 0x3f);
	return buffer;
}

int egress_parse_cidr(const char *text, struct network_cidr *ret_cidr, struct error *err)
{
	struct network_cidr cidr = {.prefix = 32}, right;
	char address[WORD_MAX], wanted[EGRESS_ADDRESS_MAX];
	const char *slash = strchr(text, '/');
	uint64_t prefix = 32;
	int r;

	if (text_copy(address, sizeof(address), text) < 0)
		return error_set(err, EINVAL, "'%.40s...': too long", text);
	if (slash)
		address[slash - text] = '\0';
	if (slash && number_parse(slash + 1, 0, 32, &prefix) < 0)
		return error_set(err, EINVAL, "'%.64s': want a prefix from /0 to /32", text);
	r = parse_address(address, &cidr.address, err);
	if (r < 0)
		return r;
	cidr.prefix = (uint32_t)prefix;
	right = (struct network_cidr){cidr.address & mask_of(cidr.prefix), cidr.prefix};
	if (right.address != cidr.address)
		return error_set(err, EINVAL, "'%.64s': has bits beyond its prefix: want %s", text,
			egress_format_cidr(&right, wanted));
	*ret_cidr = cidr;
	return 0;
}

static int add_cidr(
	struct network_cidr *cidrs, uint32_t *count, const char *word, struct error *err)
{
	if (*count == NETWORK_CIDRS_MAX)
		return error_set(
			err, EINVAL, "'%.64s': more than %d ranges", word, NETWORK_CIDRS_MAX);
	if (egress_parse_cidr(word, &cidrs[*count], err) < 0)
		return -EINVAL;
	(*count)++;
	return 0;
}

/* Labels of letters, digits, - and _, two at least; a * may stand for the first ones. */
static bool is_domain(const char *name)
{
	const char *label = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
	size_t labels = 0;

	if (strlen(name) > EGRESS_NAME_MAX)
		return false;
	for (;; labels++) {
		size_t length = strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-_");

		if (length < 1 || length > 63 || label[0] == '-' || label[length - 1] == '-')
			return false;
		if (label[length] == '\0')
			return labels >= 1;
		if (label[length] != '.')
			return false;
		label += length + 1;
	}
}

static int add_domain(struct egress *egress, char *word, struct error *err)
{
	size_t size = strlen(word) + 1;

	for (char *c = word; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (!is_domain(word))
		return error_set(err, EINVAL,
			"'%.64s': want an address range such as 198.51.100.0/24, or a name such as "
			"pypi.org or *.npmjs.org",
			word);
	if (egress->domain_count == NETWORK_DOMAINS_MAX ||
		egress->domain_bytes + size > sizeof(egress->domains))
		return error_set(err, EINVAL, "'%.64s': more than %d names or %d bytes of them",
			word, NETWORK_DOMAINS_MAX, NETWORK_DOMAINS_BYTES);
	memcpy(egress->domains + egress->domain_bytes, word, size);
	egress->domain_bytes += (uint32_t)size;
	egress->domain_count++;
	return 0;
}

/* An address of either kind, right or wrong, and no name. */
static bool is_numeric(const char *word)
{
	if (strchr(word, ':'))
		return word[strspn(word, "0123456789abcdefABCDEF.:/")] == '\0';
	return word[strspn(word, "0123456789./")] == '\0';
}

static int add_resolver(struct egress *egress, const char *word, struct error *err)
{
	if (egress->resolver_count == NETWORK_RESOLVERS_MAX)
		return error_set(err, EINVAL, "'%.64s': more than %d resolvers", word,
			NETWORK_RESOLVERS_MAX);
	if (parse_address(word, &egress->resolvers[egress->resolver_count], err) < 0)
		return -EINVAL;
	egress->resolver_count++;
	return 0;
}

int egress_parse(const char *except, const char *allow, const char *resolvers,
	struct egress *ret_egress, struct error *err)
{
	struct egress *e = ret_egress;
	char word[WORD_MAX];
	int r;

	*e = (struct egress){0};
	while ((r = next_word(&except, word, err)) > 0)
		if (add_cidr(e->except, &e->except_count, word, err) < 0)
			return error_prefix(err, -EINVAL, "except");
	if (r < 0)
		return error_prefix(err, r, "except");
	while ((r = next_word(&allow, word, err)) > 0)
		if ((is_numeric(word) ? add_cidr(e->allow, &e->allow_count, word, err)
				      : add_domain(e, word, err)) < 0)
			return error_prefix(err, -EINVAL, "allow");
	if (r < 0)
		return error_prefix(err, r, "allow");
	while ((r = next_word(&resolvers, word, err)) > 0)
		if (add_resolver(e, word, err) < 0)
			return error_prefix(err, -EINVAL, "resolvers");
	return r < 0 ? error_prefix(err, r, "resolvers") : 0;
}

void egress_find_resolvers(struct egress *egress, const char *resolv_conf)
{
	static const char keyword[] = "nameserver";
	const char *line = resolv_conf;

	if (egress->resolver_count > 0)
		return;
	while (*line && egress->resolver_count < NETWORK_RESOLVERS_MAX) {
		const char *value = line + sizeof(keyword) - 1;
		char word[WORD_MAX];

		/* The keyword begins its line; what follows the address is not looked at. */
		if (strncmp(line, keyword, sizeof(keyword) - 1) == 0 &&
			(*value == ' ' || *value == '\t') &&
			sscanf(value, "%*[ \t]%255[^ \t\r\n#;]", word) == 1)
			add_resolver(egress, word, NULL);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
}

bool egress_find_route(const char *routes, const struct network_cidr *range,
	struct network_cidr *ret_cidr, char link[static 16])
{
	for (const char *line = strchr(routes, '\n'); line; line = strchr(line + 1, '\n')) {
		uint32_t destination, mask, common;

		/* Addresses are in network byte order, read as one number of this machine. */
		if (sscanf(line + 1, "%15s %" SCNx32 " %*x %*x %*d %*d %*d %" SCNx32, link,
			    &destination, &mask) != 3)
			continue;
		destination = ntohl(destination);
		mask = ntohl(mask);
		common = mask & mask_of(range->prefix);
		if (mask == 0 || ((destination ^ range->address) & common) != 0 ||
			strncmp(link, NETWORK_LINK_PREFIX, strlen(NETWORK_LINK_PREFIX)) == 0)
			continue;
		*ret_cidr = (struct network_cidr){destination, (uint32_t)__builtin_popcount(mask)};
		return true;
	}
	return false;
}
