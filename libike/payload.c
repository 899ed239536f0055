/* Parse and build, payload by payload in the order of RFC 7296 3.  The Security
 * Association and Traffic Selector payloads, which are lists, stand in payload_sa.c and
 * payload_ts.c. */
#include "libike/payload.h"

static enum ike_error
verdict(const struct ike_reader *r, bool good)
{
	return !r->bad && good ? IKE_OK : IKE_INVALID_SYNTAX;
}

enum ike_error
ike_parse_ke(struct bytes body, struct ike_ke *ke)
{
	struct ike_reader r = ike_reader(body);

	ke->group = ike_read16(&r);
	(void)ike_read16(&r);	/* RESERVED */
	ke->data = ike_read_rest(&r);
	return verdict(&r, ke->data.len != 0);
}

void
ike_build_ke(struct ike_writer *w, const struct ike_ke *ke)
{
	ike_write16(w, ke->group);
	ike_write16(w, 0);
	ike_write_bytes(w, ke->data);
}

enum ike_error
ike_parse_id(struct bytes body, struct ike_id_view *id)
{
	struct ike_reader r = ike_reader(body);

	id->octets = body;
	id->type = ike_read8(&r);
	(void)ike_read_bytes(&r, 3);	/* RESERVED */
	id->data = ike_read_rest(&r);
	return verdict(&r, true);
}

void
ike_build_id(struct ike_writer *w, uint8_t type, struct bytes data)
{
	ike_write8(w, type);
	ike_write_zero(w, 3);
	ike_write_bytes(w, data);
}

enum ike_error
ike_parse_auth(struct bytes body, struct ike_auth *auth)
{
	struct ike_reader r = ike_reader(body);

	auth->method = ike_read8(&r);
	(void)ike_read_bytes(&r, 3);	/* RESERVED */
	auth->data = ike_read_rest(&r);
	return verdict(&r, true);
}

void
ike_build_auth(struct ike_writer *w, const struct ike_auth *auth)
{
	ike_write8(w, auth->method);
	ike_write_zero(w, 3);
	ike_write_bytes(w, auth->data);
}

enum ike_error
ike_parse_nonce(struct bytes body, struct bytes *nonce)
{
	if (body.len < IKE_NONCE_MIN || body.len > IKE_NONCE_MAX)
		return IKE_INVALID_SYNTAX;
	*nonce = body;
	return IKE_OK;
}

/* An SPI is of no SA, of an IKE SA, or of an AH or ESP SA.  Of a protocol that is not
 * known here nothing is known about its SPIs either; whoever looks for an SPI looks at
 * the protocol first. */
static bool
spi_fits(uint8_t protocol, uint8_t spi_len)
{
	static const uint8_t lengths[] = {
		[IKE_PROTOCOL_NONE] = 0,
		[IKE_PROTOCOL_IKE] = IKE_SPI_LEN,
		[IKE_PROTOCOL_AH] = IKE_ESP_SPI_LEN,
		[IKE_PROTOCOL_ESP] = IKE_ESP_SPI_LEN
	};

	return spi_len == 0 || protocol >= sizeof lengths || spi_len == lengths[protocol];
}

enum ike_error
ike_parse_notify(struct bytes body, struct ike_notify *notify)
{
	struct ike_reader r = ike_reader(body);
	uint8_t spi_len;

	notify->protocol = ike_read8(&r);
	spi_len = ike_read8(&r);
	notify->type = ike_read16(&r);
	notify->spi = ike_read_bytes(&r, spi_len);
	notify->data = ike_read_rest(&r);
	return verdict(&r, spi_fits(notify->protocol, spi_len));
}

void
ike_build_notify(struct ike_writer *w, const struct ike_notify *notify)
{
	if (notify->spi.len > UINT8_MAX) {
		w->bad = true;
		return;
	}
	ike_write8(w, notify->protocol);
	ike_write8(w, (uint8_t)notify->spi.len);
	ike_write16(w, notify->type);
	ike_write_bytes(w, notify->spi);
	ike_write_bytes(w, notify->data);
}

enum ike_error
ike_parse_delete(struct bytes body, struct ike_delete *del)
{
	struct ike_reader r = ike_reader(body);
	uint8_t spi_len;

	del->protocol = ike_read8(&r);
	spi_len = ike_read8(&r);
	del->count = ike_read16(&r);
	del->spis = ike_read_rest(&r);
	if (del->protocol == IKE_PROTOCOL_IKE) {
		del->count = 0;		/* the SA is the one it came through */
		return verdict(&r, spi_len == 0 && del->spis.len == 0);
	}
	return verdict(&r, (del->protocol == IKE_PROTOCOL_AH ||
	    del->protocol == IKE_PROTOCOL_ESP) && spi_len == IKE_ESP_SPI_LEN &&
	    del->spis.len == (size_t)del->count * IKE_ESP_SPI_LEN);
}

uint32_t
ike_delete_spi(const struct ike_delete *del, uint16_t index)
{
	if (index >= del->spis.len / IKE_ESP_SPI_LEN)
		return 0;
	return bytes_load32(del->spis.p + (size_t)index * IKE_ESP_SPI_LEN);
}

void
ike_build_delete(struct ike_writer *w, uint8_t protocol, const uint32_t *spis,
    uint16_t count)
{
	bool with_spis = protocol != IKE_PROTOCOL_IKE;

	ike_write8(w, protocol);
	ike_write8(w, with_spis ? IKE_ESP_SPI_LEN : 0);
	ike_write16(w, with_spis ? count : 0);
	for (uint16_t i = 0; with_spis && i < count; i++)
		ike_write32(w, spis[i]);
}
