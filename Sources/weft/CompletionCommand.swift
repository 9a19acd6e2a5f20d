public import ArgumentParser

/// `weft completion`: what lets a shell complete commands and options.
package struct CompletionCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Print a script that lets a shell complete the commands and options of weft.",
        discussion: """
            The Debian package brings these scripts. Otherwise put it where the shell looks:
              weft completion bash > /etc/bash_completion.d/weft
              weft completion zsh > /usr/local/share/zsh/site-functions/_weft
              weft completion fish > ~/.config/fish/completions/weft.fish

            They work in shells started after that. bash needs the package bash-completion, zsh \
            compinit in ~/.zshrc. To try it in this shell only:
              source <(weft completion bash)
            """)

    @Argument(help: "The shell: bash, zsh or fish.")
    var shell: CompletionShell

    package init() {}

    package func run() throws {
        print(Weft.completionScript(for: shell))
    }
}

extension CompletionShell: @retroactive ExpressibleByArgument {}
