/* What the floors share: where files lie, clocks, and ending with a reason. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { IN_DIRECTORY = 100, LONGEST_PATH = 512 };

static inline void die(const char *what) {
    perror(what);
    exit(1);
}

static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Seconds of CPU time of this process, or with RUSAGE_CHILDREN of those it has waited for. */
static inline double cpu(int whose) {
    struct rusage used;
    getrusage(whose, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec +
           1e-6 * (used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* File number i of a tree lies at ROOT/d<i / 100>/f<i>. */
static inline void path_of(char *path, const char *root, int i) {
    snprintf(path, LONGEST_PATH, "%s/d%d/f%d", root, i / IN_DIRECTORY, i);
}

/* What every file of a tree is to hold. */
static inline char *wanted(size_t size) {
    char *content = malloc(size + 1);
    if (!content) die("malloc");
    memset(content, 'x', size);
    return content;
}

/* Put `content` at `path` as a new file with mode 0644: made beside it and renamed. */
static inline void replace(const char *path, const char *content, size_t size) {
    char beside[LONGEST_PATH + 8];
    snprintf(beside, sizeof beside, "%s.new~", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) die(beside);
    if (write(fd, content, size) != (ssize_t)size) die("write");
    if (fchmod(fd, 0644)) die("fchmod");
    close(fd);
    if (rename(beside, path)) die("rename");
}

/* Whether the file at `path` holds `content`; `buffer` has room for one byte more. */
static inline int holds(const char *path, const char *content, char *buffer, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t found = read(fd, buffer, size + 1);
    close(fd);
    return found == (ssize_t)size && !memcmp(buffer, content, size);
}
