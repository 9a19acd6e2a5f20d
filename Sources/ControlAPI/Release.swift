/// What this source tree is a state of.
public enum Release {
    /// The version that the programs, the API and the package say.
    public static let version = "0.1.0"
}
