/*
 * up_config.h - the hearth.conf of `hearth up`: one pool, and who its sandboxes may talk to.
 */
#ifndef CLI_UP_CONFIG_H
#define CLI_UP_CONFIG_H
struct cli;
struct error;

struct up_config {
	const char *image; /* the pool has its name */
	const char *net;   /* egress profile of its sandboxes */
	unsigned long pool;
};

/*
 * From the options image, pool, net, except, allow. Those that are not given are those of defaults; image and pool
 * must be given where it has none, net is then "none". 0, or the exit code of a printed usage error.
 */
int up_config_parse(
	const struct cli *cli, const struct up_config *defaults, struct up_config *ret_config);

/* Write it as DIRECTORY/hearth.conf. 0 or -errno. */
int up_config_write(const struct cli *cli, const struct up_config *config, const char *directory,
	struct error *err);
#endif
