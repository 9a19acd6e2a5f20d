import Glibc

/// Starts a program found on PATH, as the leader of a process group of its own: a Ctrl-C at the
/// terminal reaches only the lab, and one kill(2) ends all that the program started.
///
/// It starts with no signal blocked or ignored, and with no descriptor but the three given
/// (nil: /dev/null) and, as 3 and on, those that it is to inherit, whose numbers are larger.
func startProgram(
    _ arguments: [String], input: Int32? = nil, output: Int32?, errors: Int32?,
    inheriting: [Int32] = []
) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (stream, descriptor) in [(Int32(0), input), (1, output), (2, errors)] {
        if let descriptor {
            posix_spawn_file_actions_adddup2(&actions, descriptor, stream)
        } else {
            posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0)
        }
    }

    for (index, descriptor) in inheriting.enumerated() {
        posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(3 + index))
    }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
        &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

    var argv = arguments.map { strdup($0) } + [nil]
    defer { for argument in argv { free(argument) } }
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, arguments[0], &actions, &attributes, &argv, environ)
    switch code {
    case 0: return pid
    case ENOENT: throw LabError.missingProgram(arguments[0])
    default: throw LabError.system(call: "posix_spawn \(arguments[0])", code: code)
    }
}
