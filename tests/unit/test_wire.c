#include <check.h>
#include <stdlib.h>

#include "libike/wire.h"
#include "tests/unit/octets.h"
#include "tests/unit/run.h"

/* ---- reader ---- */

START_TEST(reader_fields)
{
	struct bytes in = octets("01 0203 04050607 08090a0b0c0d0e0f aabb cc");
	struct ike_reader r = ike_reader(in);
	struct bytes view;

	ck_assert_uint_eq(ike_left(&r), 18);
	ck_assert_uint_eq(ike_read8(&r), 0x01);
	ck_assert_uint_eq(ike_read16(&r), 0x0203);
	ck_assert_uint_eq(ike_read32(&r), 0x04050607);
	ck_assert(ike_read64(&r) == 0x08090a0b0c0d0e0f);
	view = ike_read_bytes(&r, 2);
	ck_assert_ptr_eq(view.p, in.p + 15);
	ck_assert_uint_eq(view.len, 2);
	view = ike_read_rest(&r);
	ck_assert_ptr_eq(view.p, in.p + 17);
	ck_assert_uint_eq(view.len, 1);
	ck_assert_uint_eq(ike_left(&r), 0);
	ck_assert(!r.bad);
	ck_assert_uint_eq(ike_read_rest(&r).len, 0);
	ck_assert(!r.bad);
	octets_free(in);
}
END_TEST

static uint64_t
read_width(struct ike_reader *r, unsigned width)
{
	if (width == 1)
		return ike_read8(r);
	if (width == 2)
		return ike_read16(r);
	return width == 4 ? ike_read32(r) : ike_read64(r);
}

/* A read that is too long takes nothing, and neither does any after it. */
START_TEST(reader_short_is_bad_for_good)
{
	static const unsigned widths[] = { 1, 2, 4, 8 };

	for (unsigned i = 0; i < 4; i++)
		for (size_t n = 0; n < widths[i]; n++) {
			struct bytes in = octets_of(0xff, n);
			struct ike_reader r = ike_reader(in);

			ck_assert(read_width(&r, widths[i]) == 0);
			ck_assert(r.bad);
			ck_assert_uint_eq(ike_left(&r), 0);
			ck_assert_uint_eq(ike_read8(&r), 0);
			ck_assert_uint_eq(ike_read_rest(&r).len, 0);
			ck_assert_uint_eq(ike_read_bytes(&r, 0).len, 0);
			ck_assert(r.bad);
			octets_free(in);
		}
}
END_TEST

START_TEST(reader_bytes_of_any_length)
{
	static const size_t lengths[] = { 5, 6, 0xffff, (size_t)-1, (size_t)-4 };
	struct bytes in = octets("00010203");

	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct ike_reader r = ike_reader(in);

		ck_assert_uint_eq(ike_read_bytes(&r, lengths[i]).len, 0);
		ck_assert(r.bad);
	}
	for (size_t n = 0; n <= 4; n++) {
		struct ike_reader r = ike_reader(in);

		ck_assert_uint_eq(ike_read_bytes(&r, n).len, n);
		ck_assert_uint_eq(ike_left(&r), 4 - n);
		ck_assert(!r.bad);
	}
	octets_free(in);
}
END_TEST

START_TEST(reader_of_nothing)
{
	struct ike_reader r = ike_reader(bytes_of(NULL, 0));

	ck_assert_uint_eq(ike_left(&r), 0);
	ck_assert_uint_eq(ike_read_rest(&r).len, 0);
	ck_assert(!r.bad);
	ck_assert_uint_eq(ike_read8(&r), 0);
	ck_assert(r.bad);
}
END_TEST

/* ---- writer ---- */

static void
write_width(struct ike_writer *w, unsigned width)
{
	if (width == 1)
		ike_write8(w, 0x01);
	else if (width == 2)
		ike_write16(w, 0x0102);
	else if (width == 4)
		ike_write32(w, 0x01020304);
	else
		ike_write64(w, 0x0102030405060708);
}

START_TEST(writer_fields)
{
	struct bytes want = octets("01 0102 01020304 0102030405060708 aabb 0000 cc");
	struct bytes pair = octets("aabb");
	uint8_t *buf = malloc(want.len);
	struct ike_writer w = ike_writer(buf, want.len);

	for (unsigned width = 1; width <= 8; width *= 2)
		write_width(&w, width);
	ike_write_bytes(&w, pair);
	ike_write_bytes(&w, bytes_of(NULL, 0));
	ike_write_zero(&w, 2);
	ike_write_zero(&w, 0);
	*ike_write_space(&w, 1) = 0xcc;
	ck_assert(!w.bad);
	ck_assert(bytes_equal(ike_written(&w), want));
	ike_write8(&w, 1);
	ck_assert(w.bad);
	ck_assert_uint_eq(ike_written(&w).len, 0);
	free(buf);
	octets_free(pair);
	octets_free(want);
}
END_TEST

/* A field without room is not begun, and what would fit after it is not written
 * either. */
START_TEST(writer_whole_or_nothing)
{
	for (unsigned width = 1; width <= 8; width *= 2)
		for (size_t cap = 0; cap < width; cap++) {
			struct bytes buf = octets_of(0xee, cap);
			struct bytes same = octets_of(0xee, cap);
			uint8_t *p = (uint8_t *)(uintptr_t)buf.p;
			struct ike_writer w = ike_writer(p, cap);

			write_width(&w, width);
			ck_assert(w.bad);
			ck_assert_uint_eq(w.len, 0);
			ike_write8(&w, 0x55);
			ike_write_zero(&w, 1);
			ck_assert_ptr_null(ike_write_space(&w, 1));
			ck_assert_ptr_null(ike_write_space(&w, (size_t)-1));
			ck_assert(bytes_equal(buf, same));
			ck_assert_uint_eq(ike_written(&w).len, 0);
			octets_free(buf);
			octets_free(same);
		}
}
END_TEST

START_TEST(writer_patch)
{
	uint8_t buf[4];
	struct ike_writer w = ike_writer(buf, sizeof buf);

	ike_write16(&w, 0x1122);
	ike_patch8(&w, 1, 0x33);
	ck_assert_uint_eq(buf[0], 0x11);
	ck_assert_uint_eq(buf[1], 0x33);
	ck_assert(!w.bad);
	ike_patch8(&w, 2, 0x44);	/* inside the buffer, but not written yet */
	ck_assert(w.bad);
	ike_patch8(&w, 0, 0x55);
	ck_assert_uint_eq(buf[0], 0x11);
}
END_TEST

START_TEST(writer_lengths_nest)
{
	struct bytes want = octets("aa 0009 bb 0004 cc dd ee");
	uint8_t buf[16];
	struct ike_writer w = ike_writer(buf, sizeof buf);
	size_t outer, inner;

	ike_write8(&w, 0xaa);
	outer = ike_open16(&w);
	ike_write8(&w, 0xbb);
	inner = ike_open16(&w);
	ike_write16(&w, 0xccdd);
	ike_close16(&w, inner, 0);
	ike_write8(&w, 0xee);
	ike_close16(&w, outer, 1);
	ck_assert(bytes_equal(ike_written(&w), want));
	octets_free(want);
}
END_TEST

/* The largest length that the field holds, and one more. */
START_TEST(writer_length_limit)
{
	uint8_t *buf = malloc(70000);

	for (size_t body = 65531; body <= 65534; body++) {
		struct ike_writer w = ike_writer(buf, 70000);
		size_t at;

		ike_write16(&w, 0);
		at = ike_open16(&w);
		ike_write_zero(&w, body);
		ike_close16(&w, at, 2);
		ck_assert_int_eq(w.bad, body + 4 > 65535);
		if (!w.bad)
			ck_assert_uint_eq(bytes_load16(buf + at), body + 4);
	}
	free(buf);
}
END_TEST

START_TEST(writer_length_without_room)
{
	uint8_t buf[2] = { 0x77, 0x77 };
	struct ike_writer w = ike_writer(buf, 1);
	size_t at = ike_open16(&w);

	ck_assert(w.bad);
	ike_close16(&w, at, 0);
	ck_assert_uint_eq(buf[0], 0x77);
	w = ike_writer(buf, 2);
	ike_write8(&w, 0x11);
	ike_close16(&w, 0, 0);		/* one octet cannot be a length field */
	ck_assert(w.bad);
	w = ike_writer(buf, 2);
	at = ike_open16(&w);
	ike_close16(&w, at, 1);		/* nothing stands in front of it */
	ck_assert(w.bad);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("wire");

	tcase_add_test(tcase, reader_fields);
	tcase_add_test(tcase, reader_short_is_bad_for_good);
	tcase_add_test(tcase, reader_bytes_of_any_length);
	tcase_add_test(tcase, reader_of_nothing);
	tcase_add_test(tcase, writer_fields);
	tcase_add_test(tcase, writer_whole_or_nothing);
	tcase_add_test(tcase, writer_patch);
	tcase_add_test(tcase, writer_lengths_nest);
	tcase_add_test(tcase, writer_length_limit);
	tcase_add_test(tcase, writer_length_without_room);
	return run_tests("wire", tcase);
}
