package qupath.fx.dialogs

/** The folder that a person would choose; null when the person cancels. */
class FileChoosers {

    static File chosen = null

    static File promptForDirectory(String title, File initialDirectory) {
        Dialogs.shown << title
        return chosen
    }
}
