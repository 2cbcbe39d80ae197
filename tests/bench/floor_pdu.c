/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* floor: what it says to targets, and what it makes of their answers. */
#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "floor.h"

#define INITIATOR "iqn.2026-11.org.example:floor"

static void put32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

size_t padded(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

size_t data_length(const uint8_t *bhs)
{
	return (size_t)bhs[5] << 16 | (size_t)bhs[6] << 8 | bhs[7];
}

/* NUL-terminated "key=value" after "key=value". LIO answers in one response if every key has been
 * offered. */
static const char offer[] = "HeaderDigest=None\0DataDigest=None\0MaxConnections=1\0InitialR2T=No\0"
			    "ImmediateData=Yes\0MaxBurstLength=1048576\0"
			    "FirstBurstLength=262144\0DefaultTime2Wait=0\0DefaultTime2Retain=0\0"
			    "MaxOutstandingR2T=1\0DataPDUInOrder=Yes\0DataSequenceInOrder=Yes\0"
			    "ErrorRecoveryLevel=0";
static const char discovery_offer[] =
	"HeaderDigest=None\0DataDigest=None\0"
	"DefaultTime2Wait=0\0DefaultTime2Retain=0\0ErrorRecoveryLevel=0";

/* RFC 7143, 11.12: straight to the operational stage, asking for full feature phase: one round
 * trip. */
void login_request(struct pdu *p, const char *target, const char *receive_max)
{
	const char *keys = target ? offer : discovery_offer;
	size_t keys_length = target ? sizeof(offer) : sizeof(discovery_offer);
	int n;

	memset(p->bhs, 0, BHS);
	p->bhs[0] = 0x43;
	p->bhs[1] = 0x87;
	p->bhs[8] = 0x80; /* ISID: random, of the process */
	put32(p->bhs + 9, (uint32_t)getpid());
	put32(p->bhs + 24, FIRST_CMDSN);
	n = snprintf(p->data, DATA_MAX, "InitiatorName=" INITIATOR "%cSessionType=%s%c%s%s", 0,
		     target ? "Normal" : "Discovery", 0, target ? "TargetName=" : "",
		     target ? target : "");
	p->length = (size_t)n + !!target;
	memcpy(p->data + p->length, keys, keys_length);
	p->length += keys_length;
	p->length += (size_t)snprintf(p->data + p->length, DATA_MAX - p->length,
				      "MaxRecvDataSegmentLength=%s", receive_max) +
		     1;
}

void finish_pdu(struct pdu *p)
{
	p->bhs[5] = (uint8_t)(p->length >> 16);
	p->bhs[6] = (uint8_t)(p->length >> 8);
	p->bhs[7] = (uint8_t)p->length;
	memset(p->data + p->length, 0, padded(p->length) - p->length);
}

/* The value of a key of @p, or @otherwise. */
const char *value(const struct pdu *p, const char *key, const char *otherwise)
{
	size_t n = strlen(key);

	for (const char *s = p->data; s < p->data + p->length; s += strlen(s) + 1) {
		if (strncmp(s, key, n) == 0 && s[n] == '=')
			return s + n + 1;
	}
	return otherwise;
}

/* All has been said in one request: a target that wants more is none for this program. */
void check_login(const struct pdu *p, const char *target)
{
	if (p->bhs[0] != 0x23 || p->bhs[36] != 0)
		errx(1, "login to %s refused: opcode 0x%02x, status 0x%02x%02x", target, p->bhs[0],
		     p->bhs[36], p->bhs[37]);
	if ((p->bhs[1] & 0x83) != 0x83)
		errx(1, "login to %s wants another round", target);
}

void check_size(const struct pdu *p)
{
	if (data_length(p->bhs) >= DATA_MAX - 4)
		errx(1, "PDU too large: %zu bytes", data_length(p->bhs));
}

void text_request(struct pdu *p, const char *text, uint32_t cmdsn)
{
	uint32_t statsn = get32(p->bhs + 24), ttt = get32(p->bhs + 20);
	size_t length = text ? strlen(text) + 1 : 0;

	memset(p->bhs, 0, BHS);
	p->bhs[0] = 0x04;
	p->bhs[1] = 0x80;
	put32(p->bhs + 16, 1);
	put32(p->bhs + 20, text ? UINT32_MAX : ttt);
	put32(p->bhs + 24, cmdsn);
	put32(p->bhs + 28, statsn + 1);
	memcpy(p->data, text ? text : "", length);
	p->length = length;
}

void logout_request(uint8_t *bhs, uint32_t cmdsn, uint32_t exp_statsn)
{
	memset(bhs, 0, BHS);
	bhs[0] = 0x46;
	bhs[1] = 0x80;
	put32(bhs + 16, 2);
	put32(bhs + 24, cmdsn);
	put32(bhs + 28, exp_statsn);
}
