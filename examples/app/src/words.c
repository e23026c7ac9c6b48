#include "words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64
#define LONGEST_WORD 256

unsigned long long words_hash(const char *text, size_t length) {
    unsigned long long hash = 14695981039346656037ULL;
    for (size_t i = 0; i < length; i++) {
        hash ^= (unsigned char)text[i];
        hash *= 1099511628211ULL;
    }
    return hash;
}

void words_init(struct words *words) {
    memset(words, 0, sizeof *words);
}

void words_free(struct words *words) {
    for (size_t i = 0; i < words->size; i++)
        free(words->slots[i].text);
    free(words->slots);
    words_init(words);
}

/* The slot of a word, or the free one where it belongs. */
static struct word *slot_of(struct word *slots, size_t size, const char *text, size_t length) {
    size_t at = (size_t)words_hash(text, length) & (size - 1);
    while (slots[at].text != NULL && (strncmp(slots[at].text, text, length) != 0 || slots[at].text[length] != '\0'))
        at = (at + 1) & (size - 1);
    return &slots[at];
}

/* At most two thirds of the slots are taken, so that a search ends soon. */
static int make_room(struct words *words) {
    if (words->distinct * 3 < words->size * 2)
        return 0;
    size_t size = words->size == 0 ? FIRST_SIZE : words->size * 2;
    struct word *slots = calloc(size, sizeof *slots);
    if (slots == NULL)
        return -1;
    for (size_t i = 0; i < words->size; i++) {
        struct word *word = &words->slots[i];
        if (word->text != NULL)
            *slot_of(slots, size, word->text, strlen(word->text)) = *word;
    }
    free(words->slots);
    words->slots = slots;
    words->size = size;
    return 0;
}

int words_add(struct words *words, const char *text, size_t length) {
    char small[LONGEST_WORD];
    if (length >= sizeof small)
        length = sizeof small - 1;
    for (size_t i = 0; i < length; i++)
        small[i] = (char)tolower((unsigned char)text[i]);
    small[length] = '\0';
    if (make_room(words) != 0)
        return -1;
    struct word *word = slot_of(words->slots, words->size, small, length);
    if (word->text == NULL) {
        word->text = malloc(length + 1);
        if (word->text == NULL)
            return -1;
        memcpy(word->text, small, length + 1);
        words->distinct++;
    }
    word->count++;
    words->total++;
    return 0;
}

/* Bytes beyond ASCII belong to letters of other alphabets. */
static int is_letter(int c) {
    return c >= 0x80 || isalnum(c);
}

int words_read(struct words *words, FILE *file) {
    char word[LONGEST_WORD];
    size_t length = 0;
    int c;
    while ((c = getc(file)) != EOF) {
        if (is_letter(c) || (c == '\'' && length > 0)) {
            if (length < sizeof word - 1)
                word[length++] = (char)c;
            continue;
        }
        while (length > 0 && word[length - 1] == '\'')
            length--;
        if (length > 0 && words_add(words, word, length) != 0)
            return -1;
        length = 0;
    }
    while (length > 0 && word[length - 1] == '\'')
        length--;
    if (length > 0 && words_add(words, word, length) != 0)
        return -1;
    return ferror(file) ? -1 : 0;
}

size_t words_count(const struct words *words, const char *text) {
    if (words->size == 0)
        return 0;
    const struct word *word = slot_of(words->slots, words->size, text, strlen(text));
    return word->text == NULL ? 0 : word->count;
}

static int by_count(const void *a, const void *b) {
    const struct word *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->text, y->text);
}

struct word *words_sorted(const struct words *words) {
    struct word *list = malloc((words->distinct + 1) * sizeof *list);
    if (list == NULL)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < words->size; i++)
        if (words->slots[i].text != NULL)
            list[n++] = words->slots[i];
    qsort(list, n, sizeof *list, by_count);
    return list;
}
