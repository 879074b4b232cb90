/*
 * Runs scripts for QuPath against the classes in `api`, as a person would in QuPath: `session.groovy STEPS.json`.
 *
 * Each step is an object with one of these keys; the state of the image after each step is printed as a line of JSON.
 *   open      µm per pixel of the image
 *   run       path of a script; with `args`, `folder` (what a person chooses) and `answer` (to a question)
 *   classify  class names by id; null takes the class away
 *   add       features
 */

import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.customizers.ImportCustomizer
import qupath.fx.dialogs.Dialogs
import qupath.fx.dialogs.FileChoosers
import qupath.lib.images.ImageData
import qupath.lib.objects.PathObject
import qupath.lib.scripting.QP

def settings = new CompilerConfiguration()
settings.addCompilationCustomizers(new ImportCustomizer().addStaticStars('qupath.lib.scripting.QP'))

for (step in new JsonSlurper().parse(new File(args[0]), 'UTF-8')) {
    Dialogs.shown.clear()
    def printed = new StringWriter()
    if (step.open) {
        QP.image = new ImageData(step.open)
    }
    step.classify?.each { id, names ->
        def object = QP.image.hierarchy.detectionObjects.find { it.id.toString() == id }
        object.setPathClass(names == null ? null : [names: names])
    }
    step.add?.each { QP.image.hierarchy.addObjects([new PathObject(it)]) }
    if (step.run) {
        FileChoosers.chosen = step.folder ? new File(step.folder) : null
        Dialogs.answer = step.answer ?: false
        def binding = new Binding(out: new PrintWriter(printed, true))
        if (step.args) {
            binding.setVariable('args', step.args as String[])
        }
        new GroovyShell(this.class.classLoader, binding, settings).evaluate(new File(step.run))
    }
    def found = QP.image?.hierarchy
    println JsonOutput.toJson([
        printed: printed.toString(),
        shown: Dialogs.shown,
        detections: found?.detectionObjects?.size() ?: 0,
        annotations: found?.annotationObjects?.size() ?: 0,
        locked: found?.annotationObjects?.count { it.isLocked() } ?: 0,
        selected: found?.selectionModel?.selected?.collect { it.id.toString() } ?: [],
        mapsOfCells: found?.detectionObjects?.count { it.hasMetadataMap() } ?: 0,
    ])
}
