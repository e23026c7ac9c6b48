/* wordcount: the most frequent words of files, or of standard input. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

#ifndef VERSION
#define VERSION "0.0.0"
#endif

static int usage(FILE *to) {
    fputs("usage: wordcount [-n COUNT] [FILE]...   the most frequent words\n"
          "       wordcount --health               checks itself and prints JSON\n"
          "       wordcount --version\n",
          to);
    return to == stderr ? 2 : 0;
}

/* Counts a known text and compares. What is installed is what is tested: this runs in the release folder. */
static int health(void) {
    static const char text[] = "The cat and the hat. THE end: cat's";
    struct words words;
    words_init(&words);
    FILE *file = tmpfile();
    int ok = file != NULL && fputs(text, file) >= 0 && fseek(file, 0, SEEK_SET) == 0 && words_read(&words, file) == 0;
    ok = ok && words.total == 8 && words.distinct == 6 && words_count(&words, "the") == 3;
    if (file != NULL)
        fclose(file);
    words_free(&words);
#ifdef BREAK_HEALTH
    ok = 0; /* a build that is broken on purpose, to see a deployment go back */
#endif
    printf("{\"ok\": %s, \"version\": \"%s\"}\n", ok ? "true" : "false", VERSION);
    return ok ? 0 : 1;
}

static int count(struct words *words, const char *name) {
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    if (file == NULL || words_read(words, file) != 0) {
        fprintf(stderr, "wordcount: %s: %s\n", name, strerror(errno));
        if (file != NULL && file != stdin)
            fclose(file);
        return -1;
    }
    if (file != stdin)
        fclose(file);
    return 0;
}

int main(int argc, char **argv) {
    size_t most = 10;
    int first = 1;
    if (argc > 1 && strcmp(argv[1], "--health") == 0)
        return health();
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        return puts("wordcount " VERSION) < 0;
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (argc > 1 && strcmp(argv[1], "-n") == 0) {
        char *end = NULL;
        if (argc < 3 || (most = strtoul(argv[2], &end, 10)) == 0 || *end != '\0')
            return usage(stderr);
        first = 3;
    } else if (argc > 1 && argv[1][0] == '-' && argv[1][1] != '\0') {
        return usage(stderr);
    }
    struct words words;
    words_init(&words);
    int failed = 0;
    if (first == argc)
        failed = count(&words, "-") != 0;
    for (int i = first; i < argc; i++)
        failed |= count(&words, argv[i]) != 0;
    struct word *list = words_sorted(&words);
    for (size_t i = 0; list != NULL && i < words.distinct && i < most; i++)
        printf("%7zu %s\n", list[i].count, list[i].text);
    failed |= list == NULL;
    free(list);
    words_free(&words);
    return failed;
}
