/* disturb one ROOT N SIZE K: overwrite K files, one after the other, each when the last is as it
 *     was. Prints the median, the 99th percentile and the longest of the times it took, in seconds.
 * disturb all ROOT N SIZE K: overwrite K files at once. Prints seconds until all are as they were.
 *
 * Ends with 1 if one is not as it was after 30 seconds.
 */

#include "floor.h"

static const double PATIENCE = 30;
static char *content, *buffer;

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void overwrite(const char *path, int flags, size_t size) {
    int fd = open(path, O_WRONLY | O_CLOEXEC | flags);
    if (fd < 0) die(path);
    if (write(fd, "drift", size < 5 ? size : 5) < 0) die("write");
    close(fd);
}

static void await(const char *path, size_t size, useconds_t pause) {
    for (double began = now(); !holds(path, content, buffer, size); usleep(pause))
        if (now() - began > PATIENCE) {
            fprintf(stderr, "%s: not restored\n", path);
            exit(1);
        }
}

static void one_by_one(const char *root, int files, size_t size, int times) {
    char path[LONGEST_PATH];
    double *took = calloc(times, sizeof *took);
    for (int k = 0; k < times; k++) {
        path_of(path, root, rand() % files);
        double began = now();
        overwrite(path, 0, size);
        await(path, size, 0);
        took[k] = now() - began;
        usleep(1000 + rand() % 1500);
    }
    qsort(took, times, sizeof *took, ascending);
    printf("%.7f %.7f %.7f\n", took[times / 2], took[times * 99 / 100], took[times - 1]);
}

static void all_at_once(const char *root, size_t size, int times) {
    char path[LONGEST_PATH];
    double began = now();
    for (int i = 0; i < times; i++) {
        path_of(path, root, i);
        overwrite(path, O_TRUNC, size);
    }
    for (int i = 0; i < times; i++) {
        path_of(path, root, i);
        await(path, size, 200);
    }
    double ended = now();
    for (int i = 0; i < times; i++) { /* the first ones must have stayed as they were */
        path_of(path, root, i);
        await(path, size, 200);
    }
    printf("%.6f\n", ended - began);
}

int main(int count, char **args) {
    if (count != 6) return 2;
    size_t size = atol(args[4]);
    content = wanted(size);
    buffer = wanted(size);
    srand(1);
    if (!strcmp(args[1], "one"))
        one_by_one(args[2], atoi(args[3]), size, atoi(args[5]));
    else
        all_at_once(args[2], size, atoi(args[5]));
}
