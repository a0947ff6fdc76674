/* API keys: made, listed, revoked by those who may use agentd.sock as root. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "agentd/agent.h"
#include "agentd/api/api.h"
#include "agentd/api/handlers.h"
#include "agentd/api/keys.h"
#include "agentd/server.h"
#include "agentd/store/store.h"
#include "base/cleanup.h"
#include "base/error.h"

#define BODY_SIZE   40 /* characters: 62^40 keys */
#define PREFIX_SIZE 12 /* that a list shows */
#define KEY_SIZE    64

static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* Uniform: bytes beyond the last multiple are drawn again. */
static void add_random(char *text, size_t count)
{
	const unsigned limit = 256 - 256 % (sizeof(letters) - 1);
	size_t used = strlen(text);

	while (count > 0) {
		unsigned char byte;

		if (getrandom(&byte, 1, 0) != 1 || byte >= limit)
			continue;
		text[used++] = letters[byte % (sizeof(letters) - 1)];
		count--;
	}
	text[used] = '\0';
}

static struct store *store_of(const struct api_call *call)
{
	return call->server->service.store;
}

/* Answered once it holds: who has the answer is asked for a key, or not let in with the one that has gone. */
static void reply_changed(
	struct api_call *call, int r, json_t *result, const struct error *err, json_t *answer)
{
	struct error why;

	if (r == 0) {
		r = agent_take_keys(call->server, result, &why);
		err = &why;
	}
	if (r == 0) {
		api_reply(call, answer);
		return;
	}
	json_decref(answer);
	api_fail(call, r == -E2BIG ? API_CONFLICT : API_INTERNAL, NULL, 0, "%s", err->text);
}

/* The only time that the key is seen: call->work holds it until then. */
static void on_created(void *arg, int r, json_t *result, const struct error *err)
{
	struct api_call *call = arg;

	reply_changed(call, r, result, err, take_ptr(&call->work));
}

static void write_hash(const unsigned char hash[static API_KEY_HASH_SIZE], char *text)
{
	for (size_t i = 0; i < API_KEY_HASH_SIZE; i++)
		sprintf(text + 2 * i, "%02x", hash[i]);
}

void key_routes_create(struct api_call *call)
{
	const char *name = api_text(call, "name");
	bool is_test = json_is_true(json_object_get(call->params, "test"));
	char key[KEY_SIZE] = "", id[API_KEY_ID_MAX] = "key-", hex[2 * API_KEY_HASH_SIZE + 1];
	unsigned char hash[API_KEY_HASH_SIZE];
	json_t *row, *answer;

	snprintf(key, sizeof(key), is_test ? "sk_test_" : "sk_live_");
	add_random(key, BODY_SIZE);
	add_random(id, PREFIX_SIZE);
	if (api_key_hash(key, hash) < 0) {
		api_fail(call, API_INTERNAL, NULL, 0, "libcrypto cannot hash");
		return;
	}
	write_hash(hash, hex);
	name = name ? name : "";
	row = json_pack("{s:s,s:s,s:s%,s:s}", "id", id, "name", name, "prefix", key, PREFIX_SIZE,
		"hash", hex);
	call->work = answer = json_pack("{s:s,s:s,s:s}", "id", id, "name", name, "key", key);
	explicit_bzero(key, sizeof(key));
	if (!api_is_asked(call, store_key_create(store_of(call), row, on_created, call)))
		json_decref(answer);
	json_decref(row);
}

static void on_listed(void *arg, int r, json_t *result, const struct error *err)
{
	json_t *keys = json_deep_copy(json_object_get(result, "keys")), *row;
	size_t i;

	json_array_foreach(keys, i, row)
	{
		json_object_del(row, "hash");
	}
	if (r < 0)
		api_fail(arg, API_INTERNAL, NULL, 0, "%s", err->text);
	else
		api_reply(arg, json_pack("{s:o}", "keys", keys));
}

void key_routes_list(struct api_call *call)
{
	api_is_asked(call, store_key_list(store_of(call), on_listed, call));
}

static void on_revoked(void *arg, int r, json_t *result, const struct error *err)
{
	if (r == -ENOENT)
		api_fail(arg, API_NOT_FOUND, "id", 0, "there is no key of this id");
	else
		reply_changed(arg, r, result, err,
			json_pack("{s:i}", "left",
				(int)json_array_size(json_object_get(result, "keys"))));
}

void key_routes_revoke(struct api_call *call)
{
	api_is_asked(
		call, store_key_revoke(store_of(call), api_text(call, "id"), on_revoked, call));
}
