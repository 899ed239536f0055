#include "daemon/netlink.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	FRAME = NLMSG_HDRLEN + sizeof(struct nfgenmsg),	/* of a batch's begin and end */
	ANSWER = 32768		/* the kernel's dumps come in pieces of at most this */
};

struct netlink {
	struct mnl_socket *socket;
	unsigned port;
	uint32_t sequence;
	char reason[160];
	/* A batch's begin, the request, a batch's end. */
	_Alignas(struct nlmsghdr) uint8_t request[FRAME + NETLINK_ROOM + FRAME];
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER];
};

static void
set_option(struct netlink *nl, int option)
{
	int one = 1;

	/* Older kernels lack them; then there is less to read in the log. */
	(void)mnl_socket_setsockopt(nl->socket, option, &one, sizeof(one));
}

struct netlink *
netlink_new(int bus, unsigned groups)
{
	struct netlink *nl = calloc(1, sizeof(*nl));
	int error;

	if (nl == NULL)
		return NULL;
	nl->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (nl->socket == NULL ||
	    mnl_socket_bind(nl->socket, groups, MNL_SOCKET_AUTOPID) != 0) {
		error = errno;
		netlink_free(nl);
		errno = error;
		return NULL;
	}
	nl->port = mnl_socket_get_portid(nl->socket);
	set_option(nl, NETLINK_EXT_ACK);
	set_option(nl, NETLINK_CAP_ACK);
	/* Wrong values in a dump's header are told instead of ignored. */
	set_option(nl, NETLINK_GET_STRICT_CHK);
	return nl;
}

void
netlink_free(struct netlink *nl)
{
	if (nl == NULL)
		return;
	if (nl->socket != NULL)
		mnl_socket_close(nl->socket);
	free(nl);
}

int
netlink_fd(const struct netlink *nl)
{
	return mnl_socket_get_fd(nl->socket);
}

const char *
netlink_reason(const struct netlink *nl)
{
	return nl->reason;
}

static struct nlmsghdr *
request_of(struct netlink *nl)
{
	return (struct nlmsghdr *)(void *)(nl->request + FRAME);
}

struct nlmsghdr *
netlink_begin(struct netlink *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h;

	memset(nl->request, 0, sizeof(nl->request));
	h = mnl_nlmsg_put_header(nl->request + FRAME);
	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++nl->sequence;
	nl->reason[0] = '\0';
	return h;
}

bool
netlink_next(const struct nlmsghdr *h, size_t skip, const struct nlattr **attr)
{
	const uint8_t *end = (const uint8_t *)h + h->nlmsg_len;
	const struct nlattr *next =
	    *attr == NULL ? mnl_nlmsg_get_payload_offset(h, skip) : mnl_attr_next(*attr);

	if ((const uint8_t *)next >= end ||
	    !mnl_attr_ok(next, (int)(end - (const uint8_t *)next)))
		return false;
	*attr = next;
	return true;
}

/* The text that the kernel puts behind an error (NETLINK_EXT_ACK); with NETLINK_CAP_ACK
 * the request itself is not repeated before it. */
static const char *
extended_text(const struct nlmsghdr *h)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr = NULL;
	size_t skip = sizeof(*error);

	if ((h->nlmsg_flags & NLM_F_ACK_TLVS) == 0)
		return NULL;
	if ((h->nlmsg_flags & NLM_F_CAPPED) == 0)
		skip += error->msg.nlmsg_len - sizeof(error->msg);
	while (netlink_next(h, skip, &attr))
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			return mnl_attr_get_str(attr);
	return NULL;
}

static void
keep_reason(struct netlink *nl, int error, const char *text)
{
	if (error == 0)
		nl->reason[0] = '\0';
	else
		snprintf(nl->reason, sizeof(nl->reason), "%s%s%s", strerror(error),
		    text == NULL ? "" : ": ", text == NULL ? "" : text);
}

/* The kernel's verdict on a request, as a negative errno; 1: this message is none. */
static int
read_verdict(struct netlink *nl, const struct nlmsghdr *h)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < mnl_nlmsg_size(sizeof(*error)))
		return 1;
	keep_reason(nl, -error->error, error->error == 0 ? NULL : extended_text(h));
	return error->error;
}

static int
failed(struct netlink *nl, int error)
{
	keep_reason(nl, error, NULL);
	return -error;
}

/* One read of answers; false, and *error set, when there is none. */
static bool
receive(struct netlink *nl, int *len, int *error)
{
	ssize_t got;

	do
		got = mnl_socket_recvfrom(nl->socket, nl->answer, sizeof(nl->answer));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		*error = failed(nl, errno);
	*len = (int)got;
	return got >= 0;
}

/* Reads answers to the request until its verdict, or the end of its dump; what is neither
 * goes to `each`.  Late answers to an earlier request are skipped. */
static int
await_verdict(struct netlink *nl, mnl_cb_t each, void *arg)
{
	const struct nlmsghdr *h;
	int left, verdict = 0;

	while (receive(nl, &left, &verdict)) {
		h = (const struct nlmsghdr *)(const void *)nl->answer;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_seq != nl->sequence)
				continue;
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			verdict = read_verdict(nl, h);
			if (verdict <= 0)
				return verdict;
			if (each != NULL)
				(void)each(h, arg);
		}
	}
	return verdict;
}

int
netlink_commit(struct netlink *nl)
{
	struct nlmsghdr *h = request_of(nl);

	h->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(nl->socket, h, h->nlmsg_len) < 0)
		return failed(nl, errno);
	return await_verdict(nl, NULL, NULL);
}

static void
put_frame(void *at, uint16_t type, uint32_t sequence)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);
	struct nfgenmsg *family;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = sequence;
	family = mnl_nlmsg_put_extra_header(h, sizeof(*family));
	family->nfgen_family = AF_UNSPEC;
	family->version = NFNETLINK_V0;
	family->res_id = htobe16(NFNL_SUBSYS_NFTABLES);
}

int
netlink_commit_batch(struct netlink *nl)
{
	struct nlmsghdr *h = request_of(nl);

	h->nlmsg_flags |= NLM_F_ACK;
	put_frame(nl->request, NFNL_MSG_BATCH_BEGIN, h->nlmsg_seq);
	put_frame(nl->request + FRAME + h->nlmsg_len, NFNL_MSG_BATCH_END, h->nlmsg_seq);
	if (mnl_socket_sendto(nl->socket, nl->request, FRAME + h->nlmsg_len + FRAME) < 0)
		return failed(nl, errno);
	return await_verdict(nl, NULL, NULL);
}

int
netlink_dump(struct netlink *nl, mnl_cb_t each, void *arg)
{
	struct nlmsghdr *h = request_of(nl);

	h->nlmsg_flags |= NLM_F_DUMP;
	if (mnl_socket_sendto(nl->socket, h, h->nlmsg_len) < 0)
		return failed(nl, errno);
	return await_verdict(nl, each, arg);
}

int
netlink_receive(struct netlink *nl, mnl_cb_t each, void *arg)
{
	for (;;) {
		ssize_t got =
		    recv(netlink_fd(nl), nl->answer, sizeof(nl->answer), MSG_DONTWAIT);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		(void)mnl_cb_run(nl->answer, (size_t)got, 0, 0, each, arg);
	}
}

uint8_t
netlink_family(uint8_t ip_version)
{
	return ip_version == ESP_IPV4 ? AF_INET : AF_INET6;
}

uint8_t
netlink_ip_version(uint8_t address_family)
{
	return address_family == AF_INET ? ESP_IPV4 :
	    address_family == AF_INET6   ? ESP_IPV6 :
					   0;
}

uint16_t
netlink_address_len(uint8_t ip_version)
{
	return ip_version == ESP_IPV4 ? 4 : 16;
}

bool
netlink_read_address(const struct nlattr *attr, uint8_t ip_version, uint8_t addr[16])
{
	uint16_t len = netlink_address_len(ip_version);

	memset(addr, 0, 16);
	if (mnl_attr_get_payload_len(attr) != len)
		return false;
	memcpy(addr, mnl_attr_get_payload(attr), len);
	return true;
}
