/* repair ROOT N SIZE: keep N files as they are to be, until killed. Prints "ready" when it watches.
 *
 * What the engine does, and nothing else: one inotify descriptor, a watch on each directory, a
 * signature for each file so that an event of our own costs one stat, a repair by a new file, and
 * a look at everything when the kernel's queue was full.
 */

#include "floor.h"
#include <sys/inotify.h>

struct signature {
    struct timespec modified, changed;
    off_t size;
    ino_t inode;
};

static const char *root;
static size_t size;
static char *content, *buffer;
static struct signature *known;

static struct signature sign(const struct stat *found) {
    return (struct signature){found->st_mtim, found->st_ctim, found->st_size, found->st_ino};
}

static void keep(int i) {
    char path[LONGEST_PATH];
    struct stat found;
    path_of(path, root, i);
    if (!lstat(path, &found)) {
        struct signature seen = sign(&found);
        if (!memcmp(&seen, &known[i], sizeof seen)) return;
    }
    if (!holds(path, content, buffer, size)) replace(path, content, size);
    if (!lstat(path, &found)) known[i] = sign(&found);
}

static void watch(int inotify, int files) {
    char path[LONGEST_PATH];
    for (int i = 0; i < files; i += IN_DIRECTORY) {
        snprintf(path, sizeof path, "%s/d%d", root, i / IN_DIRECTORY);
        if (inotify_add_watch(inotify, path,
                              IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO |
                                  IN_CREATE | IN_DELETE | IN_ONLYDIR | IN_EXCL_UNLINK) < 0)
            die(path);
    }
}

int main(int count, char **args) {
    static char events[1 << 18] __attribute__((aligned(8)));
    if (count != 4) return 2;
    int files = atoi(args[2]), inotify = inotify_init1(IN_CLOEXEC);
    root = args[1];
    size = atol(args[3]);
    content = wanted(size);
    buffer = wanted(size);
    known = calloc(files, sizeof *known);
    watch(inotify, files);
    for (int i = 0; i < files; i++) keep(i);
    puts("ready");
    fflush(stdout);
    for (ssize_t got; (got = read(inotify, events, sizeof events)) > 0;)
        for (char *at = events; at < events + got;) {
            struct inotify_event *event = (void *)at;
            at += sizeof *event + event->len;
            if (event->mask & IN_Q_OVERFLOW)
                for (int i = 0; i < files; i++) keep(i);
            else if (event->len && event->name[0] == 'f' && !strchr(event->name, '.'))
                keep(atoi(event->name + 1));
        }
}
