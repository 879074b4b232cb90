package qupath.fx.dialogs

/** What a person would see: messages are kept, questions answered as the session was told. */
class Dialogs {

    static final List<String> shown = []
    static boolean answer = false

    static void showErrorMessage(String title, String text) {
        shown << "${title}: ${text}".toString()
    }

    static boolean showYesNoDialog(String title, String text) {
        shown << "${title}? ${text}".toString()
        return answer
    }
}
