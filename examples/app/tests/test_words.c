/* Tests of the word table, without a framework: each check prints where it failed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/words.h"

static int checks, failures;

#define CHECK(what)                                                        \
    do {                                                                   \
        checks++;                                                          \
        if (!(what)) {                                                     \
            failures++;                                                    \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #what); \
        }                                                                  \
    } while (0)

static struct words read_text(const char *text) {
    struct words words;
    words_init(&words);
    FILE *file = tmpfile();
    if (file == NULL || fputs(text, file) < 0 || fseek(file, 0, SEEK_SET) != 0 || words_read(&words, file) != 0) {
        perror("a temporary file");
        exit(1);
    }
    fclose(file);
    return words;
}

static void empty_text(void) {
    struct words words = read_text("");
    CHECK(words.total == 0);
    CHECK(words_count(&words, "x") == 0);
    words_free(&words);
}

static void letters_case_and_signs(void) {
    struct words words = read_text("One two, TWO; three-three (Three) it's 'quoted' na\xc3\xafve 42");
    CHECK(words.total == 10);
    CHECK(words.distinct == 7);
    CHECK(words_count(&words, "two") == 2);
    CHECK(words_count(&words, "three") == 3);
    CHECK(words_count(&words, "it's") == 1);
    CHECK(words_count(&words, "quoted") == 1);
    CHECK(words_count(&words, "na\xc3\xafve") == 1);
    CHECK(words_count(&words, "thr") == 0);
    words_free(&words);
}

static void the_table_grows(void) {
    struct words words;
    words_init(&words);
    char text[32];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 5000; i++)
            CHECK(words_add(&words, text, (size_t)snprintf(text, sizeof text, "word%d", i)) == 0);
    CHECK(words.distinct == 5000);
    CHECK(words.total == 10000);
    CHECK(words_count(&words, "word4999") == 2);
    words_free(&words);
}

static void a_long_word_is_cut(void) {
    char text[2000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct words words = read_text(text);
    CHECK(words.total == 1);
    words_free(&words);
}

static void the_order_is_by_number_and_alphabet(void) {
    struct words words = read_text("b a c b c b");
    struct word *list = words_sorted(&words);
    CHECK(list != NULL);
    if (list != NULL) {
        CHECK(strcmp(list[0].text, "b") == 0 && list[0].count == 3);
        CHECK(strcmp(list[1].text, "c") == 0 && list[1].count == 2);
        CHECK(strcmp(list[2].text, "a") == 0 && list[2].count == 1);
    }
    free(list);
    words_free(&words);
}

static void the_hash_is_fnv_1a(void) {
    CHECK(words_hash("", 0) == 0xcbf29ce484222325ULL);
    CHECK(words_hash("a", 1) == 0xaf63dc4c8601ec8cULL);
    CHECK(words_hash("foobar", 6) == 0x85944171f73967e8ULL);
}

int main(void) {
    empty_text();
    letters_case_and_signs();
    the_table_grows();
    a_long_word_is_cut();
    the_order_is_by_number_and_alphabet();
    the_hash_is_fnv_1a();
    printf("%d checks, %d failed\n", checks, failures);
    return failures != 0;
}
