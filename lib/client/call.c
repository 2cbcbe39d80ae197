/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls: from their making to the last reply. client.c moves the bytes.
 */
#include <string.h>

#include "client.h"
#include "parse.h"

static struct ois_call *call_free(struct ois_call *call)
{
	free(call->method);
	json_object_put(call->parameters);
	secret_free(call->secret);
	json_object_put(call->reply.parameters);
	ois_error_unref(call->reply.error);
	client_unref(call->client);
	free(call);
	return NULL;
}

struct ois_call *ois_call_ref(struct ois_call *call)
{
	call->references++;
	return call;
}

struct ois_call *ois_call_unref(struct ois_call *call)
{
	if (!call || --call->references > 0)
		return NULL;
	return call_free(call);
}

int call_new_json(struct ois_client *client, const char *method, json_object *parameters,
		  unsigned flags, struct ois_call **ret)
{
	_cleanup_json_ json_object *held = parameters;
	struct ois_call *call;

	if (!held)
		return -ENOMEM;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	call->method = strdup(method);
	if (!call->method) {
		free(call);
		return -ENOMEM;
	}
	call->references = 1;
	call->client = client_ref(client);
	call->parameters = TAKE_PTR(held);
	call->flags = flags;
	*ret = call;
	return 0;
}

int call_new_secret(struct ois_client *client, const char *method, json_object *parameters,
		    enum ois_secret_role role, const void *secret, size_t length,
		    struct ois_call **ret)
{
	static const char *const roles[] = {
		[OIS_SECRET_INITIATOR] = "initiator", [OIS_SECRET_TARGET] = "target"
	};
	_cleanup_(secret_freep) struct secret *copy = NULL;
	_cleanup_json_ json_object *owned = parameters;
	int r;

	if ((size_t)role >= ELEMENTSOF(roles))
		return -EINVAL;
	if (json_set_string(parameters, "role", roles[role]) < 0)
		return -ENOMEM;
	if (length > 0) {
		r = secret_new(secret, length, &copy);
		if (r < 0)
			return r;
	}
	r = call_new_json(client, method, TAKE_PTR(owned), 0, ret);
	if (r < 0)
		return r;
	(*ret)->secret = TAKE_PTR(copy);
	return 0;
}

int ois_call_new(struct ois_client *client, const char *method, const char *parameters,
		 unsigned flags, struct ois_call **ret)
{
	_cleanup_json_ json_object *object = NULL;
	int r;

	if (flags & ~(unsigned)(OIS_CALL_MORE | OIS_CALL_READ))
		return -EINVAL;
	parameters = parameters ?: "{}";
	r = json_parse(parameters, strlen(parameters), &object);
	if (r < 0)
		return r;
	if (!json_object_is_type(object, json_type_object))
		return -EBADMSG;
	return call_new_json(client, method, TAKE_PTR(object), flags, ret);
}

int ois_call_set_parameter(struct ois_call *call, const char *name, const char *json)
{
	_cleanup_json_ json_object *value = NULL;
	int r;

	if (call->state != CALL_NEW)
		return -EBUSY;
	r = json_parse(json, strlen(json), &value);
	if (r < 0)
		return r;
	if (!value) { /* null: as if it were absent */
		json_object_object_del(call->parameters, name);
		return 0;
	}
	return json_set(call->parameters, name, TAKE_PTR(value));
}

int ois_call_set_text(struct ois_call *call, const char *name, const char *text)
{
	if (call->state != CALL_NEW)
		return -EBUSY;
	json_object_object_del(call->parameters, name);
	return text ? json_set_string(call->parameters, name, text) : 0;
}

int ois_call_set_timeout(struct ois_call *call, uint64_t usec)
{
	if (call->state != CALL_NEW)
		return -EBUSY;
	call->timeout_usec = usec;
	call->timeout_set = true;
	return 0;
}

void call_set_patient(struct ois_call *call)
{
	call->timeout_usec = OIS_TIMEOUT_NONE;
	call->timeout_set = true;
}

static void call_arm(struct ois_call *call)
{
	uint64_t now = client_now(call->client);

	call->deadline_usec = call->timeout_usec < OIS_TIMEOUT_NONE - now ? now + call->timeout_usec
									  : OIS_TIMEOUT_NONE;
}

int ois_call_start(struct ois_call *call, ois_handler_t handler, void *userdata)
{
	if (call->state != CALL_NEW)
		return -EBUSY;
	if (call->client->closed)
		return -ECANCELED;
	if (!call->timeout_set)
		call->timeout_usec = call->client->timeout_usec;
	call->handler = handler;
	call->userdata = userdata;
	call_arm(call);
	client_enqueue(call);
	return 0;
}

/* A copy of the parameters with the secret, which is wiped with it. */
static int add_secret(const struct secret *secret, json_object *parameters)
{
	_cleanup_(buffer_erase) struct buffer text = {};
	size_t size = BASE64_SIZE(secret_length(secret));
	uint8_t *at;
	int r;

	r = buffer_reserve(&text, size, &at);
	if (r < 0)
		return r;
	base64_encode(secret_bytes(secret), secret_length(secret), (char *)at);
	return json_set_string(parameters, "secretBase64", (const char *)at);
}

int call_write(const struct ois_call *call, struct varlink_stream *stream)
{
	unsigned flags = call->flags & OIS_CALL_MORE ? VARLINK_CALL_MORE : 0;
	_cleanup_(json_object_erase_putp) json_object *message = NULL;
	json_object *parameters = NULL;
	int r;

	if (json_object_deep_copy(call->parameters, &parameters, NULL) < 0)
		return -ENOMEM;
	message = varlink_call_new(call->method, parameters, flags);
	if (!message)
		return -ENOMEM;
	if (call->secret) {
		r = add_secret(call->secret, parameters);
		if (r < 0)
			return r;
	}
	return varlink_stream_queue(stream, message);
}

static void set_reply(struct ois_call *call, json_object *parameters, struct ois_error *error,
		      bool last)
{
	json_object_put(call->reply.parameters);
	ois_error_unref(call->reply.error);
	call->reply = (struct ois_reply){ .parameters = parameters, .error = error, .last = last };
	call->replied = true;
}

void call_deliver(struct ois_call *call, json_object *parameters, struct ois_error *error,
		  bool last)
{
	int r = 0;

	/* A failed call holds nothing else, as ois.h promises. */
	if (error) {
		json_object_put(parameters);
		parameters = NULL;
	}
	set_reply(call, parameters, error, last);
	if (last)
		client_forget(call, error ? ois_error_get_errno(error) : 0);
	else
		call_arm(call);
	if (call->handler)
		r = call->handler(call, &call->reply, call->userdata);
	if (r >= 0)
		return;
	if (call->state != CALL_DONE)
		client_forget(call, r);
	call->result = r;
	call->stopped = true;
}

void call_fail(struct ois_call *call, int error)
{
	struct ois_error *object = NULL;
	int r;

	r = error_new_errno(error, call->client->path, call->method, &object);
	if (r < 0) {
		/* Not even memory to say so. */
		client_forget(call, r);
		return;
	}
	call_deliver(call, NULL, object, true);
}

void ois_call_cancel(struct ois_call *call)
{
	if (call->state == CALL_QUEUED || call->state == CALL_ACTIVE)
		client_forget(call, -ECANCELED);
}

int ois_call_run(struct ois_call *call, ois_handler_t handler, void *userdata,
		 struct ois_error **ret_error)
{
	int r;

	if (call->client->processing)
		return -EBUSY;
	r = ois_call_start(call, handler, userdata);
	while (r >= 0 && call->state != CALL_DONE) {
		r = ois_client_process(call->client);
		if (r >= 0 && call->state != CALL_DONE)
			r = ois_client_wait(call->client, OIS_TIMEOUT_NONE);
		if (r == -EINTR)
			r = 0;
	}
	if (r < 0)
		return r;
	if (call->result < 0 && ret_error)
		*ret_error = call->stopped || !call->reply.error ? NULL
								 : ois_error_ref(call->reply.error);
	return call->result;
}

struct ois_client *ois_call_get_client(const struct ois_call *call)
{
	return call->client;
}

const struct ois_reply *ois_call_get_reply(const struct ois_call *call)
{
	return call->replied ? &call->reply : NULL;
}

/* --- Collecting lists --- */

struct collection {
	void *(*get)(const struct ois_reply *reply);
	void **objects;
	size_t n, allocated;
};

void **objects_free(void **objects)
{
	for (void **object = objects; object && *object; object++)
		json_object_put(object_json(*object));
	free(objects);
	return NULL;
}

static int collect(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	struct collection *collection = userdata;
	void *object = reply->error ? NULL : collection->get(reply);
	void **grown;
	size_t allocate;

	if (!object)
		return 0;
	if (collection->n + 1 >= collection->allocated) {
		allocate = collection->allocated ? collection->allocated * 2 : 16;
		grown = reallocarray(collection->objects, allocate, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		collection->objects = grown;
		collection->allocated = allocate;
	}
	collection->objects[collection->n++] = json_object_get(object_json(object));
	collection->objects[collection->n] = NULL;
	return 0;
}

int call_unmade(int error, struct ois_error **ret_error)
{
	if (ret_error)
		*ret_error = NULL;
	return error;
}

int call_refused(int error, struct ois_error **ret_error, const char *format, ...)
{
	va_list arguments;
	int r = 0;

	if (ret_error) {
		va_start(arguments, format);
		r = error_new_message(error, ret_error, format, arguments);
		va_end(arguments);
	}
	return r < 0 ? r : error;
}

int call_misunderstood(const struct ois_call *call, struct ois_error **ret_error)
{
	int r;

	if (ret_error) {
		r = error_new_errno(-EPROTO, call->client->path, call->method, ret_error);
		if (r < 0)
			return call_unmade(r, ret_error);
	}
	return -EPROTO;
}

int call_collect(struct ois_call *call, void *(*get)(const struct ois_reply *reply), void ***ret,
		 struct ois_error **ret_error)
{
	_cleanup_(ois_call_unrefp) struct ois_call *held = call;
	struct collection collection = { .get = get };
	int r;

	r = ois_call_run(held, collect, &collection, ret_error);
	if (r >= 0 && !collection.objects) {
		collection.objects = calloc(1, sizeof(*collection.objects));
		if (!collection.objects)
			r = -ENOMEM;
	}
	if (r < 0) {
		objects_free(collection.objects);
		return r;
	}
	*ret = collection.objects;
	return (int)collection.n;
}
