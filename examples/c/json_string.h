// JSON strings (RFC 8259, section 7) and what they stand for.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Decodes a JSON text that is a string, writes what it says at `*to` as UTF-8 and moves `*to` behind it. Writes fewer
// bytes than `length`. False where the text is no string, or one with half a surrogate pair, which UTF-8 cannot hold.
bool json_string_decode(const uint8_t *json, size_t length, uint8_t **to);

// Writes the JSON string that stands for a UTF-8 text: at most 6 * length + 2 bytes. Returns how many.
size_t json_string_encode(const uint8_t *text, size_t length, uint8_t *to);
