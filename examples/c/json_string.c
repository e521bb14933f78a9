#include "json_string.h"

#include <string.h>

// The letters of the short escapes, and at the same places the bytes that they stand for.
static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";

static int digit_value(uint8_t digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// Reads `\uXXXX` and moves behind it. -1 where there is something else.
static int32_t read_unit(const uint8_t **at, const uint8_t *end) {
  if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') return -1;
  int32_t unit = 0;
  for (int i = 2; i < 6; i++) {
    int value = digit_value((*at)[i]);
    if (value < 0) return -1;
    unit = unit << 4 | value;
  }
  *at += 6;
  return unit;
}

static bool in_range(int32_t unit, int32_t lowest, int32_t highest) { return unit >= lowest && unit <= highest; }

static void write_utf8(int32_t point, uint8_t **to) {
  uint8_t *out = *to;
  if (point < 0x80) {
    *out++ = point;
  } else if (point < 0x800) {
    *out++ = 0xC0 | point >> 6;
    *out++ = 0x80 | (point & 0x3F);
  } else if (point < 0x10000) {
    *out++ = 0xE0 | point >> 12;
    *out++ = 0x80 | (point >> 6 & 0x3F);
    *out++ = 0x80 | (point & 0x3F);
  } else {
    *out++ = 0xF0 | point >> 18;
    *out++ = 0x80 | (point >> 12 & 0x3F);
    *out++ = 0x80 | (point >> 6 & 0x3F);
    *out++ = 0x80 | (point & 0x3F);
  }
  *to = out;
}

// `\uXXXX`, or two of them that are one code point above U+FFFF.
static bool decode_unicode(const uint8_t **at, const uint8_t *end, uint8_t **to) {
  int32_t point = read_unit(at, end);
  if (point < 0 || in_range(point, 0xDC00, 0xDFFF)) return false;
  if (in_range(point, 0xD800, 0xDBFF)) {
    int32_t low = read_unit(at, end);
    if (!in_range(low, 0xDC00, 0xDFFF)) return false;
    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
  }
  write_utf8(point, to);
  return true;
}

static bool decode_escape(const uint8_t **at, const uint8_t *end, uint8_t **to) {
  if (end - *at < 2) return false;
  uint8_t letter = (*at)[1];
  if (letter == 'u') return decode_unicode(at, end, to);
  const char *found = memchr(letters, letter, sizeof letters - 1);
  if (found == NULL) return false;
  *(*to)++ = meanings[found - letters];
  *at += 2;
  return true;
}

bool json_string_decode(const uint8_t *json, size_t length, uint8_t **to) {
  if (length < 2 || json[0] != '"' || json[length - 1] != '"') return false;
  const uint8_t *at = json + 1, *end = json + length - 1;
  while (at < end) {
    if (*at == '"' || *at < 0x20) return false;
    if (*at != '\\') {
      *(*to)++ = *at++;
    } else if (!decode_escape(&at, end, to)) {
      return false;
    }
  }
  return true;
}

// The letter of the short escape for a byte; 0 where there is none or none is needed.
static char short_escape(uint8_t byte) {
  const char *found = byte == '/' ? NULL : memchr(meanings, byte, sizeof meanings - 1);
  return found == NULL ? 0 : letters[found - meanings];
}

size_t json_string_encode(const uint8_t *text, size_t length, uint8_t *to) {
  static const char digits[] = "0123456789abcdef";
  uint8_t *out = to;
  *out++ = '"';
  for (size_t i = 0; i < length; i++) {
    uint8_t byte = text[i];
    char letter = short_escape(byte);
    if (letter != 0) {
      *out++ = '\\';
      *out++ = letter;
    } else if (byte < 0x20) {
      memcpy(out, "\\u00", 4);
      out[4] = digits[byte >> 4];
      out[5] = digits[byte & 0xF];
      out += 6;
    } else {
      *out++ = byte;
    }
  }
  *out++ = '"';
  return out - to;
}
