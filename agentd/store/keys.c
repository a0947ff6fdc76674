#include <errno.h>
#include <string.h>

#include "agentd/store/operation.h"
#include "agentd/store/operation_table.h"
#include "agentd/store/statement.h"
#include "agentd/store/store.h"
#include "base/cleanup.h"
#include "base/error.h"

#define HASH_LENGTH 64 /* SHA-256 in hexadecimal */

int keys_create(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	const char *hash = json_string_value(json_object_get(args, "hash"));
	json_auto_t *keys = NULL;
	int r;

	/* The one thing that must never stand here is a key itself. */
	if (strlen(hash) != HASH_LENGTH || strspn(hash, "0123456789abcdef") != HASH_LENGTH)
		return error_set(err, EINVAL, "hash: must be SHA-256 in lower-case hexadecimal");
	r = statement_run(database, STATEMENT_KEY_INSERT, NULL, args, err);
	if (r == -EEXIST)
		return error_set(err, EEXIST, "its id or hash is there already");
	if (r == 0)
		r = keys_list(database, args, &keys, err);
	if (r == 0 && json_array_size(json_object_get(keys, "keys")) > STORE_KEYS_MAX)
		return error_set(err, E2BIG, "there are %d keys: revoke some", STORE_KEYS_MAX);
	if (r == 0)
		*ret_result = take_ptr(&keys);
	return r;
}

int keys_list(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_auto_t *rows = NULL;
	json_t *result;
	int r = statement_all(database, STATEMENT_KEY_LIST, NULL, args, &rows, err);

	if (r < 0)
		return r;
	result = json_pack("{s:O}", "keys", rows);
	if (!result)
		return error_set(err, ENOMEM, "out of memory");
	*ret_result = result;
	return 0;
}

int keys_revoke(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_auto_t *row = NULL;
	int r = statement_one(database, STATEMENT_KEY_DELETE, NULL, args, &row, err);

	if (r == 0 && !row)
		return error_set(err, ENOENT, "no key %s", operation_id(args, "id"));
	return r < 0 ? r : keys_list(database, args, ret_result, err);
}
