/* Counts the words of texts. */
#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>
#include <stdio.h>

struct word {
    char *text;
    size_t count;
};

/* A table of words: open addressing, the size is a power of two. */
struct words {
    struct word *slots;
    size_t size;
    size_t distinct;
    size_t total;
};

void words_init(struct words *words);
void words_free(struct words *words);

/* Adds one word of `length` bytes; letters are made small. 0, or -1 without memory. */
int words_add(struct words *words, const char *text, size_t length);

/* Adds every word of a file: letters, digits, and apostrophes within. 0, or -1 if it cannot be read. */
int words_read(struct words *words, FILE *file);

/* How often a word was added. */
size_t words_count(const struct words *words, const char *text);

/* The words in the order of their number, and of the alphabet where that is equal. To be freed; NULL without memory. */
struct word *words_sorted(const struct words *words);

/* The 64-bit FNV-1a hash. */
unsigned long long words_hash(const char *text, size_t length);

#endif
